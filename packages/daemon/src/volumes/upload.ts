import type { File } from "../host/index.js";
import { HostError } from "../host/index.js";
import type { Transfer } from "./download.js";
import { streamError } from "./stream-error.js";

const ENOSPC = 28;

export interface UploadRange {
  readonly offsetBytes: bigint;
  /** 0: no limit. */
  readonly lengthBytes: bigint;
  /** Of the file (or device) when the upload began. */
  readonly sizeBytes: bigint;
  /** A regular file may grow; a device may not. */
  readonly growable: boolean;
}

/**
 * Bytes coming in for a volume, written in place. Nothing is truncated. A hole makes its range read as zeros and, past
 * the end of a regular file, extends it. After a failure every further call fails with the same error, so that it is
 * seen at the latest when the stream finishes.
 */
export class Upload {
  readonly #file: File;
  readonly #range: UploadRange;
  readonly #transfer: Transfer;
  #positionBytes: bigint;
  #sizeBytes: bigint;
  #failure: Error | null = null;
  #closed = false;

  constructor(file: File, range: UploadRange, transfer: Transfer) {
    this.#file = file;
    this.#range = range;
    this.#transfer = transfer;
    this.#positionBytes = range.offsetBytes;
    this.#sizeBytes = range.sizeBytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#guarded(async () => {
      const fitting = this.#fitting(BigInt(bytes.length));
      const part = fitting < BigInt(bytes.length) ? bytes.subarray(0, Number(fitting)) : bytes;
      if (part.length > 0) await this.#file.write(this.#positionBytes, part);
      this.#advance(BigInt(part.length));
      if (part.length < bytes.length) throw noSpace();
    });
  }

  async hole(lengthBytes: bigint): Promise<void> {
    await this.#guarded(async () => {
      const fitting = this.#fitting(lengthBytes);
      const end = this.#positionBytes + fitting;
      const existing = (end < this.#sizeBytes ? end : this.#sizeBytes) - this.#positionBytes;
      if (existing > 0n) await this.#file.zero(this.#positionBytes, existing);
      if (end > this.#sizeBytes) {
        if (!this.#range.growable) throw noSpace();
        await this.#file.truncate(end);
      }
      this.#advance(fitting);
      if (fitting < lengthBytes) throw noSpace();
    });
  }

  /** All that came is handed to the file system, or this says why not. */
  async finish(): Promise<void> {
    await this.#close();
    if (this.#failure !== null) throw this.#failure;
  }

  /** What was written stays. */
  async abort(): Promise<void> {
    await this.#close();
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    try {
      await work();
    } catch (error) {
      this.#failure = streamError(error, "write to");
      throw this.#failure;
    }
  }

  async #close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#file.close();
    } catch (error) {
      this.#failure ??= streamError(error, "write to");
    } finally {
      await this.#transfer.end(this.#failure);
    }
  }

  #fitting(lengthBytes: bigint): bigint {
    if (this.#range.lengthBytes === 0n) return lengthBytes;
    const left = this.#range.offsetBytes + this.#range.lengthBytes - this.#positionBytes;
    return left < lengthBytes ? left : lengthBytes;
  }

  #advance(lengthBytes: bigint): void {
    this.#positionBytes += lengthBytes;
    if (this.#positionBytes > this.#sizeBytes) this.#sizeBytes = this.#positionBytes;
  }
}

function noSpace(): HostError {
  return new HostError("ENOSPC", ENOSPC, "no space left in the range of the upload");
}
