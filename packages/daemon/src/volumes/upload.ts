import { LibvirtError } from "@cistern/protocol";
import type { File } from "../host/index.js";
import { EarlyWriteback, HostError } from "../host/index.js";
import { limits } from "../limits.js";
import type { Transfer } from "./download.js";
import { GatheredBytes, type GatheredRun } from "./gathered-bytes.js";
import { streamError } from "./stream-error.js";
import { endOfData, endOfZeros } from "./zero-blocks.js";

const EFBIG = 27;
const ENOSPC = 28;
const MAX_OFFSET = 2n ** 63n - 1n;
const BLOCK = BigInt(limits.zeroBlockBytes);

export interface UploadRange {
  readonly offsetBytes: bigint;
  /** 0: no limit. */
  readonly lengthBytes: bigint;
  /** Of the file (or device) when the upload began. */
  readonly sizeBytes: bigint;
  /** A regular file may grow; a device may not. */
  readonly growable: boolean;
  /** All blocks of a regular file were there when the upload began: it was preallocated, and stays so. */
  readonly preallocated: boolean;
}

/** Who hands in the bytes hears of what happens behind them. */
export interface UploadListener {
  /** It failed, or was cancelled, after the calls for it had returned. */
  failed(error: LibvirtError): void;
  /** Less is held than before. */
  moved(): void;
}

const SILENT: UploadListener = { failed() {}, moved() {} };

/**
 * Bytes coming in for a volume, written in place. Small packets are joined; what is joined is written while more comes
 * in, one write after the other, so that a failed upload leaves what came before and nothing behind.
 *
 * Zeros are not written but become a hole, or are punched out of what was there, and all that follow each other at once.
 * A preallocated file keeps its blocks: zeros are written within it. A run of zeros past the end extends the file, at
 * the latest when the upload ends; nothing ever shortens it.
 *
 * After a failure every further call fails with the same error, so that it is seen at the latest when the stream finishes.
 * The file has its old length again then, as after an upload that was given up: it has that or the new one, and a disk that
 * the upload has filled is free again. Its content is part old and part new.
 */
export class Upload {
  readonly #file: File;
  readonly #range: UploadRange;
  readonly #transfer: Transfer;
  readonly #gathered = new GatheredBytes((run) => this.#enqueueWrite(run));
  /** Where the next byte that comes has its place. */
  #positionBytes: bigint;
  /** Zeros that came last, up to `#positionBytes`, and were not handed on. */
  #zerosFrom: bigint | null = null;
  /** Some of them were a hole of the stream: the sender looked for holes itself, and short ones are kept too. */
  #zerosAreHole = false;
  /** Zeros before here are written like data. */
  readonly #preallocatedUntil: bigint;
  /** Of data that came: not written yet, and written. */
  #waitingBytes = 0;
  #writtenBytes = 0;
  /** Steps that wait for the one before them or are under way. */
  #steps = 0;
  #work: Promise<void> = Promise.resolve();
  #woken: (() => void) | null = null;
  #gatherTimer: NodeJS.Timeout | null = null;
  #unpacedBytes = 0;
  readonly #writeback: EarlyWriteback;
  #failure: LibvirtError | null = null;
  /** Why what is behind the old end is still there. */
  #left: unknown;
  #closed: Promise<void> | null = null;
  #listener: UploadListener = SILENT;
  readonly #onCancel = (): void => this.#fail(LibvirtError.from(this.#transfer.job.signal.reason));

  constructor(file: File, range: UploadRange, transfer: Transfer) {
    this.#file = file;
    this.#writeback = new EarlyWriteback(file);
    this.#range = range;
    this.#transfer = transfer;
    this.#positionBytes = range.offsetBytes;
    this.#preallocatedUntil = range.preallocated ? range.sizeBytes : 0n;
    const { signal } = transfer.job;
    if (signal.aborted) this.#onCancel();
    else signal.addEventListener("abort", this.#onCancel, { once: true });
  }

  /** Memory of what came and is not written. */
  get heldBytes(): number {
    return this.#gathered.heldBytes;
  }

  listen(listener: UploadListener): void {
    this.#listener = listener;
    if (this.#failure !== null) listener.failed(this.#failure);
  }

  /**
   * Takes the next bytes; they may be reused when it is done. undefined: done, and the next call may follow at once. What
   * it rejects with, and what fails later, `finish` rejects with too.
   */
  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const fitting = this.#fitting(BigInt(bytes.length));
    if (fitting < BigInt(bytes.length)) return this.#writeLast(bytes.subarray(0, Number(fitting)));
    return bytes.length > limits.transferBlockBytes ? this.#writeMany(bytes) : this.#writeSome(bytes);
  }

  /** The next `lengthBytes` read as zeros from now on. */
  async hole(lengthBytes: bigint): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    const fitting = this.#fitting(lengthBytes);
    const end = this.#positionBytes + fitting;
    await this.#guarded(() => this.#checkEnd(end));
    this.#addZeros(fitting);
    this.#zerosAreHole = true;
    if (fitting < lengthBytes) await this.#outOfSpace();
  }

  /** All that came is on the disk, or this says why not. */
  async finish(): Promise<void> {
    await this.#close(true);
    if (this.#failure !== null) throw this.#failure;
  }

  /** Nobody is there any more: what came is taken at once, whatever the job's bandwidth. */
  hurry(): void {
    this.#transfer.job.hurry();
  }

  /** What was written over the old content stays. `reason`: what is said of it, where it is not the client's wish. */
  async abort(reason?: Error): Promise<void> {
    await this.#close(false, reason);
  }

  /** A length that no file can have is refused now and not when the upload ends. */
  async #checkEnd(end: bigint): Promise<void> {
    if (end <= this.#range.sizeBytes || !this.#range.growable) return;
    if (end > MAX_OFFSET) throw new HostError("EFBIG", EFBIG, "no file reaches so far");
    await this.#file.checkOffset(end);
  }

  #writeSome(bytes: Uint8Array): Promise<void> | undefined {
    this.#take(bytes);
    this.#gatherTimer ??= setTimeout(() => this.#gatheredLongEnough(), limits.uploadGatherMs);
    if (this.#transfer.job.bandwidthBytesPerSecond !== null) return this.#paced(bytes.length);
    return this.#isFull ? this.#room() : undefined;
  }

  async #writeMany(bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.length; start += limits.transferBlockBytes) {
      await this.#writeSome(bytes.subarray(start, start + limits.transferBlockBytes));
    }
  }

  /** More came than the range has room for. */
  async #writeLast(bytes: Uint8Array): Promise<void> {
    if (bytes.length > 0) await this.#writeMany(bytes);
    await this.#outOfSpace();
  }

  async #outOfSpace(): Promise<never> {
    this.#handOn();
    await this.#guarded(async () => {
      await this.#work;
      throw noSpace();
    });
    throw this.#failure ?? noSpace();
  }

  /** Sorts what came into data and zeros. */
  #take(bytes: Uint8Array): void {
    let start = this.#takeWhereZerosAreData(bytes);
    while (start < bytes.length) {
      const phase = Number(this.#positionBytes % BLOCK);
      const zerosEnd = endOfZeros(bytes, start, phase);
      if (zerosEnd > start) this.#addZeros(BigInt(zerosEnd - start));
      if (zerosEnd === bytes.length) return;
      const dataEnd = endOfData(bytes, zerosEnd, Number(this.#positionBytes % BLOCK));
      this.#addData(bytes.subarray(zerosEnd, dataEnd));
      start = dataEnd;
    }
  }

  #takeWhereZerosAreData(bytes: Uint8Array): number {
    const left = this.#preallocatedUntil - this.#positionBytes;
    if (left <= 0n) return 0;
    const length = left < BigInt(bytes.length) ? Number(left) : bytes.length;
    this.#addData(bytes.subarray(0, length));
    return length;
  }

  #addZeros(lengthBytes: bigint): void {
    this.#zerosFrom ??= this.#positionBytes;
    this.#positionBytes += lengthBytes;
  }

  #addData(bytes: Uint8Array): void {
    this.#endZeros(this.#positionBytes);
    this.#gathered.append(this.#positionBytes, bytes);
    this.#positionBytes += BigInt(bytes.length);
  }

  /** Hands the zeros on: whole blocks of the file as a range of their own, what stands at its edges as data. */
  #endZeros(end: bigint, isEnd = false): void {
    const from = this.#zerosFrom;
    if (from === null) return;
    const first = ((from + BLOCK - 1n) / BLOCK) * BLOCK;
    const last = isEnd ? end : (end / BLOCK) * BLOCK;
    const leastBytes = this.#zerosAreHole ? 1n : BigInt(limits.zeroRunBytes);
    this.#zerosFrom = null;
    this.#zerosAreHole = false;
    if (last - first < leastBytes) {
      this.#gathered.appendZeros(from, Number(end - from));
      return;
    }
    this.#gathered.appendZeros(from, Number(first - from));
    this.#enqueueGathered();
    this.#enqueue(last, () => this.#zero(first, last));
    this.#gathered.appendZeros(last, Number(end - last));
  }

  async #zero(from: bigint, until: bigint): Promise<void> {
    // Of what is there now, which may be more than there was: it never extends the file.
    await this.#file.zero(from, until - from, { signal: this.#transfer.job.signal });
    if (!this.#range.growable && until > this.#range.sizeBytes) throw noSpace();
  }

  /** All that came goes its way, the last zeros too. */
  #handOn(): void {
    if (this.#gatherTimer !== null) clearTimeout(this.#gatherTimer);
    this.#gatherTimer = null;
    this.#endZeros(this.#positionBytes, true);
    this.#enqueueGathered();
  }

  /** Nobody knows when more comes: what is there becomes visible. Zeros wait on, they may be a long run. */
  #gatheredLongEnough(): void {
    this.#gatherTimer = null;
    this.#enqueueGathered();
    if (this.#steps === 0) this.#gathered.rest();
    else this.#enqueue(null, async () => this.#gathered.rest());
  }

  #enqueueGathered(): void {
    const run = this.#gathered.take();
    if (run !== null) this.#enqueueWrite(run);
  }

  #enqueueWrite(run: GatheredRun): void {
    const { length } = run.bytes;
    const end = run.offsetBytes + BigInt(length);
    this.#waitingBytes += length;
    const write = async (): Promise<void> => {
      await this.#file.write(run.offsetBytes, run.bytes);
      this.#waitingBytes -= length;
      this.#writtenBytes += length;
      this.#writeback.wrote(run.offsetBytes, end);
    };
    this.#enqueue(end, write, run.release);
  }

  /** One step after the other; none after a failure. `end`: the upload has come so far with it. */
  #enqueue(end: bigint | null, step: () => Promise<void>, release: () => void = () => {}): void {
    this.#steps++;
    this.#work = this.#work.then(async () => {
      if (this.#failure === null) {
        await this.#guarded(step).catch(() => {});
        if (end !== null && this.#failure === null) this.#cameTo(end);
      }
      release();
      this.#steps--;
      this.#woken?.();
      this.#woken = null;
      this.#listener.moved();
    });
  }

  #cameTo(end: bigint): void {
    const { offsetBytes, lengthBytes, sizeBytes } = this.#range;
    const total = lengthBytes > 0n ? lengthBytes : sizeBytes - offsetBytes;
    const done = end - offsetBytes;
    this.#transfer.job.progress(done, done <= total ? total : 0n);
  }

  get #isFull(): boolean {
    return this.#steps >= limits.uploadBuffers - 1;
  }

  async #room(): Promise<void> {
    while (this.#isFull && this.#failure === null) {
      await new Promise<void>((resolve) => {
        this.#woken = resolve;
      });
    }
    if (this.#failure !== null) throw this.#failure;
  }

  async #paced(bytes: number): Promise<void> {
    this.#unpacedBytes += bytes;
    if (this.#unpacedBytes >= limits.firstUploadBufferBytes) {
      const step = BigInt(this.#unpacedBytes);
      this.#unpacedBytes = 0;
      await this.#guarded(() => this.#transfer.job.pace(step));
    }
    await this.#room();
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#fail(await this.#explained(error));
    }
    if (this.#failure !== null) throw this.#failure;
  }

  /** Where it is the file system that is full, with the volume, how much came that found no place, and how much is free. */
  async #explained(error: unknown): Promise<LibvirtError> {
    const { freeBytes } = this.#transfer;
    const isFull = error instanceof HostError && error.errno === ENOSPC && !(error instanceof RangeEnd);
    if (!isFull || freeBytes === undefined) return streamError(error, "write to");
    const counted = `(${this.#lackingBytes} bytes needed, ${await freeBytes().catch(() => 0n)} bytes free)`;
    return streamError(error, "write to", `for '${this.#file.path}' ${counted}`);
  }

  /** What came and has no place. Where only the flush says so, nobody knows what of all that was written has one. */
  get #lackingBytes(): number {
    return this.#waitingBytes + this.#gathered.growingBytes || this.#writtenBytes || limits.zeroBlockBytes;
  }

  #fail(error: LibvirtError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#woken?.();
    this.#woken = null;
    this.#listener.failed(error);
  }

  #close(complete: boolean, reason?: Error): Promise<void> {
    this.#closed ??= this.#finishAndClose(complete, reason);
    return this.#closed;
  }

  async #finishAndClose(complete: boolean, reason: Error | undefined): Promise<void> {
    if (this.#failure === null) this.#handOn();
    else if (this.#gatherTimer !== null) clearTimeout(this.#gatherTimer);
    // Whoever gave it up does not want to hear what else goes wrong.
    if (!complete) this.#listener = SILENT;
    await this.#work;
    this.#gathered.rest();
    if (complete && this.#failure === null) {
      await this.#guarded(async () => {
        await this.#extendOverZeros();
        await this.#file.syncData();
        // How much would come, nobody knew before.
        const movedBytes = this.#positionBytes - this.#range.offsetBytes;
        this.#transfer.job.progress(movedBytes, movedBytes);
      }).catch(() => {});
    }
    if (!complete || this.#failure !== null) await this.#cutBack();
    this.#transfer.job.signal.removeEventListener("abort", this.#onCancel);
    await this.#file.close().catch(async (error: unknown) => this.#fail(await this.#explained(error)));
    await this.#transfer
      .end(this.#failure ?? reason ?? null, this.#left)
      .catch((error) => this.#fail(LibvirtError.from(error)));
  }

  /** Nobody else writes to the volume: what is behind its old end came with this upload. */
  async #cutBack(): Promise<void> {
    const { growable, sizeBytes } = this.#range;
    if (!growable) return;
    try {
      if ((await this.#file.sizeBytes()) <= sizeBytes) return;
      await this.#file.truncate(sizeBytes);
      // Nobody knows of it any more once the record is gone, which is flushed too.
      await this.#file.syncData();
    } catch (error) {
      this.#left = error;
      this.#fail(await this.#explained(error));
    }
  }

  async #extendOverZeros(): Promise<void> {
    await this.#work;
    if (this.#failure !== null || !this.#range.growable) return;
    if (this.#positionBytes === this.#range.offsetBytes) return;
    if ((await this.#file.sizeBytes()) < this.#positionBytes) await this.#file.truncate(this.#positionBytes);
  }

  #fitting(lengthBytes: bigint): bigint {
    if (this.#range.lengthBytes === 0n) return lengthBytes;
    const left = this.#range.offsetBytes + this.#range.lengthBytes - this.#positionBytes;
    return left < lengthBytes ? left : lengthBytes;
  }
}

/** What a range needs to know of the file; closes it where that cannot be found out. */
export async function spaceForUpload(
  file: File,
): Promise<Pick<UploadRange, "sizeBytes" | "growable" | "preallocated">> {
  try {
    const [sizeBytes, { kind, allocatedBytes }] = await Promise.all([file.sizeBytes(), file.facts()]);
    const growable = kind === "file";
    return { sizeBytes, growable, preallocated: growable && allocatedBytes >= sizeBytes };
  } catch (error) {
    await file.close();
    throw streamError(error, "write to");
  }
}

/** The end of what the upload may write, or of a device. */
class RangeEnd extends HostError {}

function noSpace(): HostError {
  return new RangeEnd("ENOSPC", ENOSPC, "no space left in the range of the upload");
}
