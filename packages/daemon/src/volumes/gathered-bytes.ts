import { limits } from "../limits.js";
import { ZEROS } from "./zero-blocks.js";

const BLOCK = limits.zeroBlockBytes;

/** A run of bytes that is ready to be written. */
export interface GatheredRun {
  readonly offsetBytes: bigint;
  readonly bytes: Uint8Array;
  /** The bytes are not needed any more: their memory is used again. */
  readonly release: () => void;
}

interface GatherBuffer {
  readonly bytes: Uint8Array;
  /** Runs of it that are not released. */
  runs: number;
}

/**
 * Joins small packets to runs that are worth a write. Runs stand one behind the other in buffers of a bounded size, of
 * which few are used again and again; they end where a block of the file ends, unless they are taken earlier.
 */
export class GatheredBytes {
  readonly #full: (run: GatheredRun) => void;
  #buffer: GatherBuffer | null = null;
  #capacityBytes: number = limits.firstUploadBufferBytes;
  /** Of the run that grows, in the buffer. */
  #start = 0;
  #end = 0;
  #offsetBytes = 0n;
  readonly #free: Uint8Array[] = [];
  /** Memory of all buffers with something in them. */
  heldBytes = 0;

  /** `full` gets each run that fills its buffer. */
  constructor(full: (run: GatheredRun) => void) {
    this.#full = full;
  }

  /** Bytes of the run that grows. */
  get growingBytes(): number {
    return this.#end - this.#start;
  }

  get isEmpty(): boolean {
    return this.#end === this.#start;
  }

  /** Appends what stands at `offsetBytes` of the file, right behind the run that grows. */
  append(offsetBytes: bigint, bytes: Uint8Array): void {
    for (let taken = 0; taken < bytes.length; ) {
      const { buffer, room } = this.#room(offsetBytes + BigInt(taken));
      const length = Math.min(room, bytes.length - taken);
      buffer.set(length === bytes.length ? bytes : bytes.subarray(taken, taken + length), this.#end);
      this.#grow(length);
      taken += length;
    }
  }

  appendZeros(offsetBytes: bigint, lengthBytes: number): void {
    for (let done = 0; done < lengthBytes; done += ZEROS.length) {
      this.append(offsetBytes + BigInt(done), ZEROS.subarray(0, Math.min(ZEROS.length, lengthBytes - done)));
    }
  }

  /** The run that grows, which ends here; null where there is none. */
  take(): GatheredRun | null {
    const buffer = this.#buffer;
    if (buffer === null || this.isEmpty) return null;
    buffer.runs++;
    const run = {
      offsetBytes: this.#offsetBytes,
      bytes: buffer.bytes.subarray(this.#start, this.#end),
      release: () => this.#release(buffer),
    };
    this.#start = this.#end;
    return run;
  }

  /** Gives back all memory that holds nothing: nobody knows when more comes. */
  rest(): void {
    if (!this.isEmpty) return;
    const buffer = this.#buffer;
    this.#buffer = null;
    if (buffer?.runs === 0) this.heldBytes -= buffer.bytes.length;
    this.#free.length = 0;
    this.#capacityBytes = limits.firstUploadBufferBytes;
  }

  #room(offsetBytes: bigint): { buffer: Uint8Array; room: number } {
    if (this.isEmpty) {
      // A run stands in its buffer as in the file's blocks, so that a full buffer ends with a block.
      const phase = Number(offsetBytes % BigInt(BLOCK));
      const start = this.#end + ((phase - (this.#end % BLOCK) + BLOCK) % BLOCK);
      if (this.#buffer === null || start >= this.#buffer.bytes.length) {
        this.#retire();
        this.#buffer = { bytes: this.#free.pop() ?? new Uint8Array(this.#capacityBytes), runs: 0 };
        this.heldBytes += this.#buffer.bytes.length;
        this.#start = phase;
      } else this.#start = start;
      this.#end = this.#start;
      this.#offsetBytes = offsetBytes;
    }
    // There is one: the branch above made it where it was missing.
    const { bytes } = this.#buffer as GatherBuffer;
    return { buffer: bytes, room: bytes.length - this.#end };
  }

  #grow(lengthBytes: number): void {
    this.#end += lengthBytes;
    if (this.#end < (this.#buffer?.bytes.length ?? 0)) return;
    const run = this.take();
    this.#capacityBytes = Math.min(2 * this.#capacityBytes, limits.transferBlockBytes);
    if (run !== null) this.#full(run);
  }

  /** The current buffer is used up: it is free once its last run is released. */
  #retire(): void {
    const buffer = this.#buffer;
    this.#buffer = null;
    if (buffer?.runs === 0) this.#recycle(buffer);
  }

  #release(buffer: GatherBuffer): void {
    buffer.runs--;
    if (buffer.runs === 0 && buffer !== this.#buffer) this.#recycle(buffer);
  }

  #recycle({ bytes }: GatherBuffer): void {
    this.heldBytes -= bytes.length;
    if (bytes.length === limits.transferBlockBytes && this.#free.length < limits.uploadBuffers) this.#free.push(bytes);
  }
}
