import { LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../cancel-signal.js";
import type { File } from "../host/index.js";
import type { Job } from "../jobs/job.js";
import { limits } from "../limits.js";
import { streamError } from "./stream-error.js";
import { ZEROS } from "./zero-blocks.js";

/** The job of a transfer, and what gives its volume back, called once, with why it ended early. */
export interface Transfer {
  readonly job: Job;
  /** `left`: why what came of it could not be undone. */
  readonly end: (error: Error | null, left?: unknown) => Promise<void>;
  /** Of the file system that is written to. */
  readonly freeBytes?: () => Promise<bigint>;
}

export type DownloadPart =
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | { readonly kind: "hole"; readonly lengthBytes: bigint };

export interface DownloadRange {
  readonly offsetBytes: bigint;
  /** 0: up to the file's end. */
  readonly lengthBytes: bigint;
  /** Holes are told apart instead of given as zeros. */
  readonly sparse: boolean;
}

/** One read of the file fills several stream packets, and none of them partly. */
const READ_BYTES = Math.floor(limits.transferBlockBytes / limits.streamPacketBytes) * limits.streamPacketBytes;

/**
 * The content of a volume from an offset on, part by part. Holes are not read: they are told apart when asked for, else
 * given as zeros. The end is either the wanted length or the file's end. Whoever opened it closes it.
 */
export class Download {
  readonly #file: File;
  readonly #range: DownloadRange;
  readonly #transfer: Transfer;
  readonly #endBytes: bigint | null;
  #positionBytes: bigint;
  /** Data up to here is known not to contain a hole. */
  #dataUntilBytes: bigint;
  /** A hole up to here is being given as zeros. */
  #zerosUntilBytes: bigint;
  #totalBytes: bigint | null = null;
  #closed: Promise<void> | null = null;
  /** Of the last read, and of the one before: new memory for each would be garbage at the speed of the disk. */
  #buffer: Uint8Array | null = null;
  #bufferBefore: Uint8Array | null = null;

  constructor(file: File, range: DownloadRange, transfer: Transfer) {
    this.#file = file;
    this.#range = range;
    this.#transfer = transfer;
    this.#positionBytes = range.offsetBytes;
    this.#dataUntilBytes = range.offsetBytes;
    this.#zerosUntilBytes = range.offsetBytes;
    this.#endBytes = range.lengthBytes === 0n ? null : range.offsetBytes + range.lengthBytes;
  }

  /** Aborts when the job is cancelled; then `next` rejects, too. */
  get signal(): CancelSignal {
    return this.#transfer.job.signal;
  }

  /** null at the end. The bytes of a part are good until the part after the next one is asked for. */
  async next(): Promise<DownloadPart | null> {
    try {
      this.#transfer.job.signal.throwIfAborted();
      const part = await this.#next();
      if (part !== null) await this.#moved(part);
      return part;
    } catch (error) {
      if (this.#transfer.job.signal.aborted) throw LibvirtError.from(this.#transfer.job.signal.reason);
      throw streamError(error, "read from");
    }
  }

  /** `reason`: why it ends early. */
  close(reason: Error | null = null): Promise<void> {
    this.#closed ??= this.#file.close().finally(() => this.#transfer.end(reason));
    return this.#closed;
  }

  async #next(): Promise<DownloadPart | null> {
    if (this.#endBytes !== null && this.#positionBytes >= this.#endBytes) return null;
    if (this.#positionBytes >= this.#dataUntilBytes && this.#positionBytes >= this.#zerosUntilBytes) {
      const hole = await this.#hole();
      if (hole > 0n && this.#range.sparse) {
        this.#positionBytes += hole;
        return { kind: "hole", lengthBytes: hole };
      }
      // Whole reads only: packets have one size, wherever the holes are.
      this.#zerosUntilBytes = this.#positionBytes + (hole / BigInt(READ_BYTES)) * BigInt(READ_BYTES);
    }
    if (this.#positionBytes < this.#zerosUntilBytes) return { kind: "data", bytes: this.#zeros() };
    const bytes = await this.#file.read(this.#positionBytes, this.#wantedBytes(), { into: this.#takeTurns() });
    if (bytes.length === 0) return null;
    this.#positionBytes += BigInt(bytes.length);
    return { kind: "data", bytes };
  }

  #takeTurns(): Uint8Array {
    const buffer = this.#bufferBefore ?? Buffer.allocUnsafeSlow(READ_BYTES);
    this.#bufferBefore = this.#buffer;
    this.#buffer = buffer;
    return buffer;
  }

  async #moved(part: DownloadPart): Promise<void> {
    const { offsetBytes, lengthBytes } = this.#range;
    this.#totalBytes ??= lengthBytes > 0n ? lengthBytes : (await this.#file.sizeBytes()) - offsetBytes;
    const done = this.#positionBytes - offsetBytes;
    this.#transfer.job.progress(done, done <= this.#totalBytes ? this.#totalBytes : 0n);
    if (part.kind === "data" && this.#transfer.job.bandwidthBytesPerSecond !== null) {
      await this.#transfer.job.pace(BigInt(part.bytes.length));
    }
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

  #zeros(): Uint8Array {
    this.#positionBytes += BigInt(READ_BYTES);
    return ZEROS.subarray(0, READ_BYTES);
  }

  #wantedBytes(): number {
    const until = this.#range.sparse ? this.#clip(this.#dataUntilBytes) : this.#endBytes;
    if (until === null || until <= this.#positionBytes) return READ_BYTES;
    const left = until - this.#positionBytes;
    return left < BigInt(READ_BYTES) ? Number(left) : READ_BYTES;
  }

  #clip(positionBytes: bigint): bigint {
    return this.#endBytes !== null && this.#endBytes < positionBytes ? this.#endBytes : positionBytes;
  }
}
