import { imageLimits } from "../limits.js";

/** What is read to look into an image: an open file or device. */
export interface ImageSource {
  readonly sizeBytes: bigint;
  /** Up to `lengthBytes`; shorter only at the end. What it rejects with ends the look. */
  read(offsetBytes: bigint, lengthBytes: number): Promise<Uint8Array>;
}

/** Why a part of an image was not read. Not an error of the storage: the image asks for the impossible. */
export class NotRead extends Error {
  override readonly name = "NotRead";
}

/** A source with an end to its patience, and a memory for what was wrong. */
export class BoundedSource {
  readonly sizeBytes: bigint;
  readonly #source: ImageSource;
  readonly #problems: string[] = [];
  #bytesLeft: number = imageLimits.imageBytes;
  #readsLeft: number = imageLimits.imageReads;

  constructor(source: ImageSource) {
    this.#source = source;
    this.sizeBytes = source.sizeBytes;
  }

  get problems(): readonly string[] {
    return this.#problems;
  }

  problem(sentence: string): void {
    if (this.#problems.length < imageLimits.problems) this.#problems.push(sentence);
  }

  /** Exactly these bytes. `what` is for the problem: "The snapshot table". */
  async exactly(what: string, offsetBytes: bigint, lengthBytes: number): Promise<Uint8Array> {
    if (offsetBytes < 0n || offsetBytes + BigInt(lengthBytes) > this.sizeBytes) {
      throw new NotRead(`${what} at ${offsetBytes} lies beyond the end of the file.`);
    }
    const bytes = await this.upTo(what, offsetBytes, lengthBytes);
    if (bytes.length < lengthBytes) throw new NotRead(`${what} at ${offsetBytes} is cut off.`);
    return bytes;
  }

  /** As many of these bytes as the file has. */
  async upTo(what: string, offsetBytes: bigint, lengthBytes: number): Promise<Uint8Array> {
    if (offsetBytes < 0n || offsetBytes >= this.sizeBytes || lengthBytes <= 0) return new Uint8Array();
    const left = this.sizeBytes - offsetBytes;
    const length = left < BigInt(lengthBytes) ? Number(left) : lengthBytes;
    if (length > this.#bytesLeft || this.#readsLeft === 0)
      throw new NotRead(`${what} is more than is read of an image.`);
    this.#bytesLeft -= length;
    this.#readsLeft -= 1;
    return this.#source.read(offsetBytes, length);
  }

  /** Runs a part of the look; where the image asks for the impossible, that is a problem and the answer `otherwise`. */
  async attempt<T>(otherwise: T, part: () => Promise<T>): Promise<T> {
    try {
      return await part();
    } catch (thrown) {
      if (!(thrown instanceof NotRead)) throw thrown;
      this.problem(thrown.message);
      return otherwise;
    }
  }
}

/** Numbers and texts of some bytes; what lies beyond them reads as zero. */
export class Fields {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #littleEndian: boolean;

  constructor(bytes: Uint8Array, byteOrder: "big" | "little" = "big") {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#littleEndian = byteOrder === "little";
  }

  get length(): number {
    return this.bytes.length;
  }
  has(offset: number, length: number): boolean {
    return offset >= 0 && length >= 0 && offset + length <= this.bytes.length;
  }
  u8(offset: number): number {
    return this.bytes[offset] ?? 0;
  }
  u16(offset: number): number {
    return this.has(offset, 2) ? this.#view.getUint16(offset, this.#littleEndian) : 0;
  }
  u32(offset: number): number {
    return this.has(offset, 4) ? this.#view.getUint32(offset, this.#littleEndian) : 0;
  }
  u64(offset: number): bigint {
    return this.has(offset, 8) ? this.#view.getBigUint64(offset, this.#littleEndian) : 0n;
  }
  part(offset: number, length: number): Uint8Array {
    return this.bytes.subarray(offset, offset + length);
  }
}
