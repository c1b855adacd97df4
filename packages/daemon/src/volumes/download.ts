import type { File } from "../host/index.js";
import type { Job } from "../jobs/job.js";
import { limits } from "../limits.js";
import { streamError } from "./stream-error.js";

/** The job of a transfer, and what gives its volume back. */
export interface Transfer {
  readonly job: Job;
  readonly end: (error: Error | null) => Promise<void>;
}

export type DownloadPart =
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | { readonly kind: "hole"; readonly lengthBytes: bigint };

/** One read of the file fills several stream packets. */
const READ_BYTES = limits.streamPacketBytes * 4;

/**
 * The content of a volume from an offset on, part by part; holes are told apart when asked for. The end is either
 * the wanted length or the file's end. Whoever opened it closes it.
 */
export class Download {
  readonly #file: File;
  readonly #transfer: Transfer;
  readonly #sparse: boolean;
  readonly #endBytes: bigint | null;
  #positionBytes: bigint;
  /** Data up to here is known not to contain a hole. */
  #dataUntilBytes: bigint;

  constructor(file: File, offsetBytes: bigint, lengthBytes: bigint, sparse: boolean, transfer: Transfer) {
    this.#transfer = transfer;
    this.#file = file;
    this.#sparse = sparse;
    this.#positionBytes = offsetBytes;
    this.#dataUntilBytes = offsetBytes;
    this.#endBytes = lengthBytes === 0n ? null : offsetBytes + lengthBytes;
  }

  /** null at the end. */
  async next(): Promise<DownloadPart | null> {
    try {
      if (this.#endBytes !== null && this.#positionBytes >= this.#endBytes) return null;
      if (this.#sparse && this.#positionBytes >= this.#dataUntilBytes) {
        const hole = await this.#hole();
        if (hole > 0n) {
          this.#positionBytes += hole;
          return { kind: "hole", lengthBytes: hole };
        }
      }
      const bytes = await this.#file.read(this.#positionBytes, this.#wantedBytes());
      if (bytes.length === 0) return null;
      this.#positionBytes += BigInt(bytes.length);
      return { kind: "data", bytes };
    } catch (error) {
      throw streamError(error, "read from");
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
    await this.#transfer.end(null);
  }

  /** Length of the hole here, 0 in data; remembers how far the data goes. */
  async #hole(): Promise<bigint> {
    const sizeBytes = await this.#file.sizeBytes();
    if (this.#positionBytes >= sizeBytes) return 0n;
    const data = await this.#file.seekData(this.#positionBytes);
    const holeEnd = this.#clip(data ?? sizeBytes);
    if (holeEnd > this.#positionBytes) return holeEnd - this.#positionBytes;
    this.#dataUntilBytes = await this.#file.seekHole(this.#positionBytes);
    return 0n;
  }

  #wantedBytes(): number {
    const until = this.#sparse ? this.#clip(this.#dataUntilBytes) : this.#endBytes;
    if (until === null || until <= this.#positionBytes) return READ_BYTES;
    const left = until - this.#positionBytes;
    return left < BigInt(READ_BYTES) ? Number(left) : READ_BYTES;
  }

  #clip(positionBytes: bigint): bigint {
    return this.#endBytes !== null && this.#endBytes < positionBytes ? this.#endBytes : positionBytes;
  }
}
