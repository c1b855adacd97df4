/**
 * A name as it may be printed: control characters, which could command the terminal, and bytes that are no UTF-8 (they
 * stand in strings as U+DC80 to U+DCFF) are shown as `\x1b`.
 */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\udc80-\udcff]/g, escapeUnit).replace(BIDI, escapeUnit);
}

/** Marks that change the direction of writing make a name look like another. */
const BIDI = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

function escapeUnit(unit: string): string {
  const code = unit.charCodeAt(0);
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}
