/**
 * Documents are byte strings to libvirt. Here they are JavaScript strings in which a byte that is not part of valid UTF-8
 * stands as U+DC80 + (byte - 0x80) (Python calls this surrogateescape).
 */

const { TextEncoder } = globalThis as unknown as {
  TextEncoder: new () => {
    encode(text: string): Uint8Array;
    encodeInto(text: string, target: Uint8Array): { readonly read: number; readonly written: number };
  };
};
const encoder = new TextEncoder();

/** Half of a pair alone: with the `u` flag a pair is one character and does not match. */
const LONE_SURROGATES = /[\udc80-\udcff]+/gu;

/** The bytes a string stands for. */
export function encodeUtf8(text: string): Uint8Array {
  if (!/\p{Surrogate}/u.test(text)) {
    return encoder.encode(text);
  }
  const bytes = new Uint8Array(text.length * 3);
  let length = 0;
  let start = 0;
  for (const { 0: escaped, index } of text.matchAll(LONE_SURROGATES)) {
    length += encoder.encodeInto(text.slice(start, index), bytes.subarray(length)).written;
    for (let offset = 0; offset < escaped.length; offset++) {
      bytes[length++] = escaped.charCodeAt(offset) & 0xff;
    }
    start = index + escaped.length;
  }
  length += encoder.encodeInto(text.slice(start), bytes.subarray(length)).written;
  return bytes.slice(0, length);
}

/** How many bytes a string stands for. */
export function utf8Length(text: string): number {
  return encodeUtf8(text).length;
}
