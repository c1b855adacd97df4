import { LIMITS } from "../limits.js";
import { ProtocolError } from "../protocol-error.js";
import { writeUtf8 } from "./utf8.js";

const INITIAL_BYTES = 256;

/** One growing buffer that XDR values are appended to. Everything takes a multiple of four bytes. */
export class XdrWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;
  readonly #maxBytes: number;

  /** `maxBytes`: what may be written in all; one byte more is a `ProtocolError`. */
  constructor(maxBytes: number = LIMITS.packetBytes + LIMITS.lengthWordBytes, initialBytes: number = INITIAL_BYTES) {
    this.#maxBytes = maxBytes;
    this.#bytes = new Uint8Array(initialBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get lengthBytes(): number {
    return this.#length;
  }

  /** What was written. It shares memory with the writer, which must not be used afterwards. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  int32(value: number): void {
    if (!Number.isInteger(value) || value < -0x80000000 || value > 0x7fffffff)
      throw outOfRange(value, "a signed 32-bit");
    const offset = this.#reserve(4);
    this.#view.setInt32(offset, value);
  }

  uint32(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) throw outOfRange(value, "an unsigned 32-bit");
    const offset = this.#reserve(4);
    this.#view.setUint32(offset, value);
  }

  /** Overwrites four bytes written before, for a length that is known only at the end. */
  patchUint32(offset: number, value: number): void {
    this.#view.setUint32(offset, value);
  }

  int64(value: bigint): void {
    if (typeof value !== "bigint" || BigInt.asIntN(64, value) !== value) throw outOfRange(value, "a signed 64-bit");
    const offset = this.#reserve(8);
    this.#view.setBigInt64(offset, value);
  }

  uint64(value: bigint): void {
    if (typeof value !== "bigint" || BigInt.asUintN(64, value) !== value) throw outOfRange(value, "an unsigned 64-bit");
    const offset = this.#reserve(8);
    this.#view.setBigUint64(offset, value);
  }

  float64(value: number): void {
    if (typeof value !== "number") throw outOfRange(value, "a floating-point");
    const offset = this.#reserve(8);
    this.#view.setFloat64(offset, value);
  }

  /** Bytes as they are, zero-padded to a multiple of four, without a length in front. */
  raw(bytes: Uint8Array): void {
    const offset = this.#reserve(padded(bytes.length));
    this.#bytes.set(bytes, offset);
    this.#bytes.fill(0, offset + bytes.length, this.#length);
  }

  /** A string of at most `maxBytes` bytes of UTF-8. */
  string(value: string, maxBytes: number): void {
    if (typeof value !== "string") throw outOfRange(value, "a string");
    if (value.length > maxBytes) throw tooLong("string", value.length, maxBytes);
    const start = this.#reserve(4 + padded(value.length)) + 4;
    const bytes = this.#bytes;
    let index = 0;
    for (; index < value.length; index++) {
      const unit = value.charCodeAt(index);
      if (unit >= 0x80 || unit === 0) break;
      bytes[start + index] = unit;
    }
    const end = index === value.length ? start + index : this.#finishString(value, index, start);
    const length = end - start;
    if (length > maxBytes) throw tooLong("string", length, maxBytes);
    this.#length = start;
    this.#reserve(padded(length));
    this.#bytes.fill(0, end, this.#length);
    this.#view.setUint32(start - 4, length);
  }

  /** The slow rest of a string that is not ASCII from `index` on. */
  #finishString(value: string, index: number, start: number): number {
    if (value.includes("\0")) throw new ProtocolError("encode", "A string with a NUL in it cannot be sent");
    this.#length = start;
    const room = index + 3 * (value.length - index) + 3;
    this.#grow(start + room);
    return writeUtf8(value, this.#bytes, start + index, index);
  }

  #reserve(count: number): number {
    const offset = this.#length;
    const needed = offset + count;
    if (needed > this.#maxBytes) throw tooLong("message", needed, this.#maxBytes);
    if (needed > this.#bytes.length) this.#grow(needed);
    this.#length = needed;
    return offset;
  }

  #grow(needed: number): void {
    if (needed <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    // All of it, not only up to the length so far: the ASCII part of a string may lie behind.
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

export function padded(bytes: number): number {
  return (bytes + 3) & ~3;
}

function outOfRange(value: unknown, what: string): ProtocolError {
  return new ProtocolError("encode", `The value "${String(value)}" is not ${what} value`);
}

function tooLong(what: string, length: number, limit: number): ProtocolError {
  return new ProtocolError("encode", `A ${what} of ${length} bytes is over the limit of ${limit}`);
}
