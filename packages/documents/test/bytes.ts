/** Bytes to a string as the protocol does it: what is not UTF-8 stands as U+DC80 + (byte - 0x80). */
export function decodeBytes(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] ?? 0;
    const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0;
    const part = bytes.subarray(at, at + length);
    let character: string | null = null;
    try {
      character = length === 0 ? null : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(part);
    } catch {
      character = null;
    }
    text += character ?? String.fromCharCode(0xdc00 + first);
    at += character === null ? 1 : length;
  }
  return text;
}
