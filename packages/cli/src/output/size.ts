const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] as const;

/** A size for people, as virsh writes it: "512.00 B", "1.50 GiB". */
export function formatSize(bytes: bigint): string {
  let unit = 0;
  while (unit < UNITS.length - 1 && bytes >= 1024n ** BigInt(unit + 1)) unit++;
  return `${(Number(bytes) / 1024 ** unit).toFixed(2)} ${UNITS[unit]}`;
}

/** A file offset is signed, so no file is larger. */
export const LARGEST_SIZE_BYTES = 2n ** 63n - 1n;

/**
 * A size as people write it, in bytes: "1073741824", "10G", "10GiB" (powers of 1024), "10GB" (powers of 1000), "1.5T".
 * null for anything else. It may be more than any file has.
 */
export function parseSize(text: string): bigint | null {
  const match = /^(\d+)(?:\.(\d{1,9}))?\s*(?:([KMGTPE])(i?B)?|B|bytes?)?$/i.exec(text.trim());
  if (match === null) return null;
  const [, whole = "0", fraction = "", prefix = "", suffix = ""] = match;
  const power = BigInt("KMGTPE".indexOf(prefix.toUpperCase() || " ") + 1);
  const scale = (suffix.toUpperCase() === "B" ? 1000n : 1024n) ** power;
  if (fraction !== "" && power === 0n) return null;
  return BigInt(whole) * scale + (BigInt(fraction || "0") * scale) / 10n ** BigInt(fraction.length);
}
