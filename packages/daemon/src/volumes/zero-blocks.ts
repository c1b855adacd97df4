import { limits } from "../limits.js";

const BLOCK = limits.zeroBlockBytes;
/** Compared with, sent and written wherever zeros are wanted. */
export const ZEROS: Uint8Array = new Uint8Array(limits.transferBlockBytes);
const zeros = Buffer.from(ZEROS.buffer);

/**
 * How far the zeros at `start` reach, in whole blocks of the file: `phase` is where in its block of the file the byte at
 * `start` stands. `start` where its block has anything else.
 */
export function endOfZeros(bytes: Uint8Array, start: number, phase: number): number {
  // Most often all of it is zeros, or nothing: both are seen at once.
  if (bytes[start] !== 0) return start;
  if (isZero(bytes, start, bytes.length)) return bytes.length;
  let position = start;
  for (let end = start + BLOCK - phase; position < bytes.length; end += BLOCK) {
    const blockEnd = Math.min(end, bytes.length);
    if (!isZero(bytes, position, blockEnd)) break;
    position = blockEnd;
  }
  return position;
}

/** How far the data at `start` reaches, up to a block of the file that is nothing but zeros. */
export function endOfData(bytes: Uint8Array, start: number, phase: number): number {
  let position = start;
  for (let end = start + BLOCK - phase; position < bytes.length; end += BLOCK) {
    const blockEnd = Math.min(end, bytes.length);
    if (isZero(bytes, position, blockEnd)) break;
    position = blockEnd;
  }
  return position;
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  // Data rarely has zeros in all of these places; comparing costs a call.
  if (bytes[start] !== 0 || bytes[end - 1] !== 0 || bytes[(start + end) >> 1] !== 0) return false;
  for (let position = start; position < end; position += zeros.length) {
    const length = Math.min(end - position, zeros.length);
    if (zeros.compare(bytes, position, position + length, 0, length) !== 0) return false;
  }
  return true;
}
