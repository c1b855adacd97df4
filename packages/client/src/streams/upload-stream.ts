import { Writable } from "node:stream";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { LIMITS } from "../limits.js";
import { type Hole, isHole } from "./download-stream.js";
import type { StreamPort } from "./stream-port.js";

type Done = (error?: Error | null) => void;

/**
 * Takes the bytes of a volume, and `Hole`s where it was opened as sparse. It finishes when the server has
 * confirmed that all is written; destroying it earlier leaves what was written so far.
 */
export class UploadStream extends Writable {
  readonly #port: StreamPort;
  readonly #sparse: boolean;
  #over = false;
  #onFinished: Done | null = null;

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

  override _write(chunk: unknown, encoding: BufferEncoding, done: Done): void {
    this.#send(chunk, encoding).then(() => done(), done);
  }

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

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#over) this.#port.abort();
    this.#over = true;
    done(error);
  }

  async #send(chunk: unknown, encoding: BufferEncoding): Promise<void> {
    if (chunk instanceof Uint8Array) await this.#port.sendData(chunk);
    else if (typeof chunk === "string") await this.#port.sendData(Buffer.from(chunk, encoding));
    else if (isHole(chunk)) await this.#sendHole(chunk);
    else throw new TypeError("An upload takes bytes, strings and holes");
  }

  async #sendHole({ holeBytes }: Hole): Promise<void> {
    if (!this.#sparse) throw new TypeError("An upload takes holes only when it is opened with { sparse: true }");
    if (holeBytes > 0n) await this.#port.sendHole(holeBytes);
  }
}
