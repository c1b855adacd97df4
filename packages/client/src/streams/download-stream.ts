import { Readable } from "node:stream";
import { LIMITS } from "../limits.js";
import type { StreamPort } from "./stream-port.js";

/** A run of zeros that is not sent as bytes. */
export interface Hole {
  /** How many. */
  readonly holeBytes: bigint;
}

/** Tells the chunks of a sparse stream apart. */
export function isHole(chunk: unknown): chunk is Hole {
  return typeof chunk === "object" && chunk !== null && "holeBytes" in chunk;
}

/**
 * The bytes of a volume. A sparse one is in object mode and gives `Hole`s between its chunks. It ends when the server has
 * confirmed that this was all: one that could not read on says so only then.
 *
 * While its reader is slow the whole connection is not read from, other calls wait: give slow readers a
 * connection of their own. Destroying it before the end tells the server to stop.
 */
export class DownloadStream extends Readable {
  readonly #port: StreamPort;
  /** All bytes have come; the server has yet to confirm that they are right. */
  #isComplete = false;
  #ended = false;
  #doneBytes = 0n;

  /** @internal */
  constructor(port: StreamPort, sparse: boolean) {
    super(
      sparse
        ? { objectMode: true, highWaterMark: LIMITS.downloadBufferPackets }
        : { highWaterMark: LIMITS.downloadBufferBytes },
    );
    this.#port = port;
    port.listen({
      data: (bytes) => this.#deliver(bytes),
      hole: (holeBytes) => this.#deliver({ holeBytes }),
      end: () => {
        this.#isComplete = true;
        // However slow the reader is, of this stream no more comes that it would have to wait for.
        port.setFull(false);
        port.finish().catch(() => {});
      },
      finished: () => this.#end(),
      failed: (error) => {
        if (this.#ended) return;
        this.#ended = true;
        this.destroy(error);
      },
    });
  }

  /** How far it is: what has come from the server, holes included. */
  get doneBytes(): bigint {
    return this.#doneBytes;
  }

  /** @internal */
  override _read(): void {
    this.#port.setFull(false);
  }

  /** @internal */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#ended && !this.#isComplete) this.#port.abort();
    this.#ended = true;
    done(error);
  }

  #deliver(chunk: Uint8Array | Hole): void {
    this.#doneBytes += isHole(chunk) ? chunk.holeBytes : BigInt(chunk.length);
    if (!this.push(chunk) && !this.#isComplete) this.#port.setFull(true);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.push(null);
  }
}
