import { imageLimits } from "../limits.js";
import { type BoundedSource, Fields, NotRead } from "./image-source.js";

/** Goes through a table of entries of different lengths, read in pieces. */
export class TableCursor {
  readonly #what: string;
  readonly #bounded: BoundedSource;
  readonly #endBytes: bigint;
  #piece = new Uint8Array();
  #pieceOffsetBytes: bigint;
  #atBytes: bigint;

  /** `what` is for problems: "The snapshot table". */
  constructor(what: string, startBytes: bigint, endBytes: bigint, bounded: BoundedSource) {
    this.#what = what;
    this.#bounded = bounded;
    this.#endBytes = endBytes < bounded.sizeBytes ? endBytes : bounded.sizeBytes;
    this.#atBytes = startBytes;
    this.#pieceOffsetBytes = startBytes;
  }

  /** The next bytes; rejects with `NotRead` where the table or the file ends before. */
  async take(lengthBytes: number): Promise<Fields> {
    if (this.#atBytes + BigInt(lengthBytes) > this.#endBytes || lengthBytes > imageLimits.tablePieceBytes) {
      throw new NotRead(`${this.#what} goes on at ${this.#atBytes} beyond its end.`);
    }
    let from = Number(this.#atBytes - this.#pieceOffsetBytes);
    if (from + lengthBytes > this.#piece.length) {
      const left = this.#endBytes - this.#atBytes;
      const length = left < BigInt(imageLimits.tablePieceBytes) ? Number(left) : imageLimits.tablePieceBytes;
      this.#piece = new Uint8Array(await this.#bounded.exactly(this.#what, this.#atBytes, length));
      this.#pieceOffsetBytes = this.#atBytes;
      from = 0;
    }
    this.#atBytes += BigInt(lengthBytes);
    return new Fields(this.#piece.subarray(from, from + lengthBytes));
  }
}
