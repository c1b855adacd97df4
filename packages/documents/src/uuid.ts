/**
 * Reads a UUID as libvirt does: 32 hexadecimal digits, dashes and blanks allowed between the pairs, white space around.
 *
 * @returns lower case, 8-4-4-4-12; null where it is not a UUID
 */
export function parseUuid(text: string): string | null {
  const trimmed = text.replace(/^[ \t\n\v\f\r]+/, "");
  const pairs = /^(?:[- ]*[0-9a-fA-F]{2}){16}/.exec(trimmed)?.[0];
  if (pairs === undefined || !/^[ \t\n\v\f\r]*$/.test(trimmed.slice(pairs.length))) {
    return null;
  }
  return formatUuid(pairs.replace(/[- ]/g, "").toLowerCase());
}

/** A random UUID (version 4). */
export function randomUuid(random: (bytes: number) => Uint8Array = systemRandom): string {
  const bytes = random(16);
  // RFC 9562: version 4 in the upper half of byte 6, variant 10 in the upper two bits of byte 8.
  const fixed = [...bytes].map((byte, index) =>
    index === 6 ? (byte & 0x0f) | 0x40 : index === 8 ? (byte & 0x3f) | 0x80 : byte,
  );
  return formatUuid(fixed.map((byte) => byte.toString(16).padStart(2, "0")).join(""));
}

function formatUuid(digits: string): string {
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Web Crypto is there in every runtime we support, but its types come only with the DOM or Node, which we do without. */
function systemRandom(bytes: number): Uint8Array {
  const { crypto } = globalThis as unknown as { crypto: { getRandomValues(array: Uint8Array): Uint8Array } };
  return crypto.getRandomValues(new Uint8Array(bytes));
}
