import { Writable } from "node:stream";
import { ErrorCode, ErrorDomain, LibvirtError, storage } from "@cistern/protocol";
import { LIMITS } from "../limits.js";
import { wrongArgument } from "../wrong-arguments.js";
import { type Hole, isHole } from "./download-stream.js";
import type { StreamPort } from "./stream-port.js";

const LONGEST_HOLE = 2n ** 63n - 1n;

type Done = (error?: Error | null) => void;

interface QueuedChunk {
  readonly chunk: unknown;
  readonly encoding: BufferEncoding;
}

/**
 * Takes the bytes of a volume, and `Hole`s where it was opened as sparse. It finishes when the server has
 * confirmed that all is written; destroying it earlier leaves what was written so far.
 */
export class UploadStream extends Writable {
  readonly #port: StreamPort;
  readonly #sparse: boolean;
  #over = false;
  #doneBytes = 0n;
  #onFinished: Done | null = null;

  /** @internal */
  constructor(port: StreamPort, sparse: boolean) {
    // Object mode lets holes stand in line with bytes.
    super({ objectMode: true, highWaterMark: LIMITS.uploadBufferChunks });
    this.#port = port;
    this.#sparse = sparse;
    port.listen({
      data: () => {},
      hole: () => {},
      end: () => {},
      finished: () => {
        this.#over = true;
        this.#onFinished?.();
      },
      failed: (error) => {
        this.#over = true;
        if (this.#onFinished === null) this.destroy(error);
        else this.#onFinished(error);
      },
    });
  }

  /** How far it is: what was handed to the connection, holes included. The server has all of it when the stream finishes. */
  get doneBytes(): bigint {
    return this.#doneBytes;
  }

  /** @internal */
  override _write(chunk: unknown, encoding: BufferEncoding, done: Done): void {
    this.#send([{ chunk, encoding }]).then(() => done(), done);
  }

  /** @internal */
  override _writev(chunks: readonly QueuedChunk[], done: Done): void {
    this.#send(chunks).then(() => done(), done);
  }

  /** @internal */
  override _final(done: Done): void {
    if (this.#over) {
      done(
        new LibvirtError(ErrorCode.OPERATION_FAILED, ErrorDomain.STREAMS, "The server finished the stream too early"),
      );
      return;
    }
    this.#onFinished = done;
    this.#port.finish().catch(done);
  }

  /** @internal */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#over) this.#port.abort();
    this.#over = true;
    done(error);
  }

  /** Bytes that stand in line go out together. */
  async #send(chunks: readonly QueuedChunk[]): Promise<void> {
    let bytes: Uint8Array[] = [];
    for (const { chunk, encoding } of chunks) {
      if (chunk instanceof Uint8Array) bytes.push(chunk);
      else if (typeof chunk === "string") bytes.push(Buffer.from(chunk, encoding));
      else if (isHole(chunk)) {
        await this.#sendBytes(bytes);
        bytes = [];
        await this.#sendHole(chunk);
      } else throw new TypeError("An upload takes bytes, strings and holes");
    }
    await this.#sendBytes(bytes);
  }

  async #sendBytes(pieces: readonly Uint8Array[]): Promise<void> {
    await this.#port.sendData(...pieces);
    for (const { length } of pieces) this.#doneBytes += BigInt(length);
  }

  async #sendHole({ holeBytes }: Hole): Promise<void> {
    if (!this.#sparse) throw new TypeError("An upload takes holes only when it is opened with { sparse: true }");
    if (typeof holeBytes !== "bigint" || holeBytes < 0n || holeBytes > LONGEST_HOLE) {
      throw wrongArgument(storage.storageVolUpload, "holeBytes", holeBytes, "a bigint from 0 to 2^63-1");
    }
    if (holeBytes === 0n) return;
    await this.#port.sendHole(holeBytes);
    this.#doneBytes += holeBytes;
  }
}
