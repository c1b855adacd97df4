import { PROBE_BYTES } from "./reading-plan.js";

/** Some bytes of a file from a place other than its start. */
export interface ByteWindow {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** What was read of a file to tell what is in it. */
export interface ImageContent {
  /** From the file's start; zero bytes at its end may be left out. */
  readonly head: Uint8Array;
  /** How many bytes were asked for when `head` was read: what is missing up to here is zeros. */
  readonly headBytes: number;
  readonly windows?: readonly ByteWindow[];
  /** Of the whole file or device. */
  readonly sizeBytes: bigint;
}

/**
 * The first bytes of a file as the readers of image headers see them: bounds are those of the file, not of the part
 * that was read. A field beyond that part reads as zero and raises `needsBytes`, so that a scan can read a few bytes
 * of ten thousand files and come back for the rare one that says more.
 */
export class ImageBytes {
  /** Length of what may be looked at: the file, at most `PROBE_BYTES`. */
  readonly length: number;
  /** Bytes from the start that a second look has to read; 0: all that was asked for was there. */
  needsBytes = 0;
  readonly #head: Uint8Array;
  readonly #view: DataView;
  readonly #headBytes: number;
  readonly #windows: readonly ByteWindow[];

  constructor(content: ImageContent) {
    this.length = content.sizeBytes < PROBE_BYTES ? Number(content.sizeBytes) : PROBE_BYTES;
    this.#head = content.head;
    this.#view = new DataView(content.head.buffer, content.head.byteOffset, content.head.byteLength);
    this.#headBytes = content.headBytes;
    this.#windows = content.windows ?? [];
  }

  /** Whether the file has these bytes. */
  has(offset: number, length: number): boolean {
    return offset >= 0 && length >= 0 && offset + length <= this.length;
  }

  /** `length` bytes at `offset`; what the file does not have is zero. */
  bytes(offset: number, length: number): Uint8Array {
    if (offset + length <= this.#head.length) return this.#head.subarray(offset, offset + length);
    for (const window of this.#windows) {
      const from = offset - window.offset;
      if (from >= 0 && from + length <= window.bytes.length) return window.bytes.subarray(from, from + length);
    }
    // Lengths stand in headers, which may say anything.
    const padded = new Uint8Array(Math.min(length, PROBE_BYTES));
    if (offset < this.#head.length) padded.set(this.#head.subarray(offset));
    this.#need(offset + length);
    return padded;
  }

  /** Whether these bytes stand at `offset`. Stops at the first that differs, so that little is asked for. */
  matches(offset: number, expected: Uint8Array): boolean {
    if (!this.has(offset, expected.length)) return false;
    const actual = this.bytes(offset, expected.length);
    return expected.every((byte, index) => actual[index] === byte);
  }

  u16(offset: number, littleEndian = false): number {
    return this.#viewOf(offset, 2, (view, at) => view.getUint16(at, littleEndian));
  }
  u32(offset: number, littleEndian = false): number {
    return this.#viewOf(offset, 4, (view, at) => view.getUint32(at, littleEndian));
  }
  u64(offset: number, littleEndian = false): bigint {
    return this.#viewOf(offset, 8, (view, at) => view.getBigUint64(at, littleEndian));
  }

  #viewOf<T>(offset: number, length: number, read: (view: DataView, at: number) => T): T {
    if (offset + length <= this.#head.length) return read(this.#view, offset);
    const bytes = this.bytes(offset, length);
    return read(new DataView(bytes.buffer, bytes.byteOffset, length), 0);
  }

  #need(end: number): void {
    const wanted = Math.min(end, this.length);
    if (wanted > this.#headBytes && wanted > this.needsBytes) this.needsBytes = wanted;
  }
}
