/**
 * UTF-8 with surrogateescape: a byte that is not part of valid UTF-8 stands in the string as U+DC80 + (byte - 0x80)
 * and becomes the same byte again. File names on Linux are bytes; this way every one of them survives the journey
 * through JavaScript strings. (It is what Python does with file names, so both ends of a libvirt binding agree.)
 *
 * TextDecoder cannot do this, and is not part of the language.
 */

const ESCAPE_BASE = 0xdc00;
const REPLACEMENT = [0xef, 0xbf, 0xbd] as const;
/** How many code units are handed to String.fromCharCode at once: its arguments live on the stack. */
const UNITS_PER_CALL = 4096;

/** The string that `bytes[start, end)` spell. Never fails. */
export function decodeUtf8(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let asciiEnd = start;
  while (asciiEnd < end && (bytes[asciiEnd] ?? 0x80) < 0x80) asciiEnd++;
  const ascii = decodeAscii(bytes, start, asciiEnd);
  return asciiEnd === end ? ascii : ascii + decodeMixed(bytes, asciiEnd, end);
}

function decodeAscii(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let position = start; position < end; position += UNITS_PER_CALL) {
    text += unitsToString(bytes.subarray(position, Math.min(end, position + UNITS_PER_CALL)));
  }
  return text;
}

function decodeMixed(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  let units: number[] = [];
  let position = start;
  while (position < end) {
    if (units.length >= UNITS_PER_CALL) {
      text += unitsToString(units);
      units = [];
    }
    const lead = bytes[position] ?? 0;
    if (lead < 0x80) {
      units.push(lead);
      position++;
      continue;
    }
    const length = sequenceLength(bytes, position, end);
    if (length === 0) {
      units.push(ESCAPE_BASE + lead);
      position++;
      continue;
    }
    let codePoint = lead & (0x7f >> length);
    for (let index = 1; index < length; index++) codePoint = (codePoint << 6) | ((bytes[position + index] ?? 0) & 0x3f);
    if (codePoint < 0x10000) units.push(codePoint);
    else units.push(0xd7c0 + (codePoint >> 10), 0xdc00 + (codePoint & 0x3ff));
    position += length;
  }
  return text + unitsToString(units);
}

/** Bytes of the valid sequence at `position`, 0 where there is none (overlong forms and surrogates are not valid). */
function sequenceLength(bytes: Uint8Array, position: number, end: number): 0 | 2 | 3 | 4 {
  const lead = bytes[position] ?? 0;
  const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (length === 0 || position + length > end) return 0;
  const second = bytes[position + 1] ?? 0;
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  for (let index = 2; index < length; index++) {
    if (((bytes[position + index] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}

function unitsToString(units: ArrayLike<number>): string {
  return String.fromCharCode.apply(null, units as number[]);
}

/** The most bytes that `text` can take. */
export function maxUtf8Bytes(text: string): number {
  return text.length * 3;
}

/**
 * Writes `text` into `target` from `offset` on and returns the offset behind it. `target` must have room for
 * `maxUtf8Bytes(text)`. A lone surrogate that is no escape becomes U+FFFD, as TextEncoder does it.
 */
export function writeUtf8(text: string, target: Uint8Array, offset: number, from = 0): number {
  let position = offset;
  for (let index = from; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) {
      target[position++] = unit;
    } else if (unit < 0x800) {
      target[position++] = 0xc0 | (unit >> 6);
      target[position++] = 0x80 | (unit & 0x3f);
    } else if (unit < 0xd800 || unit > 0xdfff) {
      target[position++] = 0xe0 | (unit >> 12);
      target[position++] = 0x80 | ((unit >> 6) & 0x3f);
      target[position++] = 0x80 | (unit & 0x3f);
    } else {
      const next = unit < 0xdc00 ? text.charCodeAt(index + 1) : Number.NaN;
      if (next >= 0xdc00 && next <= 0xdfff) {
        const codePoint = ((unit - 0xd7c0) << 10) + (next - 0xdc00);
        target[position++] = 0xf0 | (codePoint >> 18);
        target[position++] = 0x80 | ((codePoint >> 12) & 0x3f);
        target[position++] = 0x80 | ((codePoint >> 6) & 0x3f);
        target[position++] = 0x80 | (codePoint & 0x3f);
        index++;
      } else if (unit >= 0xdc80 && unit <= 0xdcff) {
        target[position++] = unit - ESCAPE_BASE;
      } else {
        for (const byte of REPLACEMENT) target[position++] = byte;
      }
    }
  }
  return position;
}

/** The bytes of `text`. */
export function encodeUtf8(text: string): Uint8Array {
  const target = new Uint8Array(maxUtf8Bytes(text));
  return target.slice(0, writeUtf8(text, target, 0));
}

/** The start of `text` that can travel as a string of at most `maxBytes` bytes: it ends at a NUL, as C strings do. */
export function sendableText(text: string, maxBytes: number): string {
  const start = text.slice(0, maxBytes);
  const nul = start.indexOf("\0");
  const clean = nul === -1 ? start : start.slice(0, nul);
  if (clean.length * 3 <= maxBytes) return clean;
  const bytes = encodeUtf8(clean);
  return bytes.length <= maxBytes ? clean : decodeUtf8(bytes, 0, maxBytes);
}
