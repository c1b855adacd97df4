import { ProtocolError } from "../protocol-error.js";
import { decodeUtf8 } from "./utf8.js";
import { padded } from "./writer.js";

/** Reads XDR values from bytes. Whatever the bytes are, the only error is a `ProtocolError` of kind "decode". */
export class XdrReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remainingBytes(): number {
    return this.#bytes.length - this.#position;
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4));
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  int64(): bigint {
    return this.#view.getBigInt64(this.#take(8));
  }

  uint64(): bigint {
    return this.#view.getBigUint64(this.#take(8));
  }

  float64(): number {
    return this.#view.getFloat64(this.#take(8));
  }

  /** A copy of the next `count` bytes; their padding is skipped. */
  raw(count: number): Uint8Array {
    const start = this.#take(padded(count));
    // Not slice(): Node's Buffer, which this often is, returns a view from it.
    const copy = new Uint8Array(count);
    copy.set(this.#bytes.subarray(start, start + count));
    return copy;
  }

  /** A count in front of an array, checked before anything is allocated for it. */
  count(max: number, minItemBytes: number, what: string): number {
    const count = this.uint32();
    if (count > max) throw new ProtocolError("decode", `${what} of ${count} is over the limit of ${max}`);
    if (count * minItemBytes > this.remainingBytes) throw truncated(count * minItemBytes, this.remainingBytes);
    return count;
  }

  /** A string of at most `maxBytes`. libvirt reads C strings: a NUL inside ends it. */
  string(maxBytes: number): string {
    const length = this.count(maxBytes, 1, "A string length");
    const start = this.#take(padded(length));
    const end = start + length;
    const nul = this.#bytes.indexOf(0, start);
    return decodeUtf8(this.#bytes, start, nul === -1 || nul > end ? end : nul);
  }

  #take(count: number): number {
    const start = this.#position;
    if (start + count > this.#bytes.length) throw truncated(count, this.remainingBytes);
    this.#position = start + count;
    return start;
  }
}

function truncated(needed: number, remaining: number): ProtocolError {
  return new ProtocolError("decode", `The message ends early: ${needed} bytes are needed and ${remaining} are left`);
}
