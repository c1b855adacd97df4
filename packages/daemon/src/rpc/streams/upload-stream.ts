import {
  decodeXdr,
  ErrorCode,
  ErrorDomain,
  type Frame,
  LibvirtError,
  MessageStatus,
  MessageType,
  streamHole,
} from "@cistern/protocol";
import type { Upload } from "../../volumes/upload.js";
import type { ServerStream, StreamWire } from "./server-stream.js";

const SPARSE_STREAM = 1;
const EINVAL = 22;

/** Takes a volume's content, packet after packet, in order. Nothing is acknowledged but the end. */
export class UploadStream implements ServerStream {
  readonly #upload: Upload;
  readonly #wire: StreamWire;
  readonly #sparse: boolean;
  /** A client waits for us only through its socket: when this grows, the session stops reading. */
  backlogBytes = 0;
  #work: Promise<void> = Promise.resolve();
  /** Takes no more packets. */
  #dead = false;
  #failed = false;
  readonly #lessBacklog: () => void;

  constructor(upload: Upload, wire: StreamWire, flags: number, lessBacklog: () => void) {
    this.#upload = upload;
    this.#wire = wire;
    this.#sparse = (flags & SPARSE_STREAM) !== 0;
    this.#lessBacklog = lessBacklog;
  }

  receive(frame: Frame): void {
    if (this.#dead) return;
    if (frame.type === MessageType.STREAM_HOLE) this.#receiveHole(frame);
    else if (frame.status === MessageStatus.CONTINUE) this.#receiveData(frame.payload);
    else this.#receiveEnd(frame.status === MessageStatus.OK);
  }

  async abandon(): Promise<void> {
    this.#dead = true;
    await this.#work;
    await this.#upload.abort();
  }

  /** An empty packet says nothing (libvirt's daemon takes it for the end and loses what follows). */
  #receiveData(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.backlogBytes += bytes.length;
    this.#enqueue(async () => {
      await this.#upload.write(bytes);
      this.backlogBytes -= bytes.length;
      this.#lessBacklog();
    });
  }

  #receiveHole(frame: Frame): void {
    if (!this.#sparse) {
      this.#wire.disconnect("a hole in a stream that was not opened as sparse");
      return;
    }
    this.#enqueue(async () => {
      const { length, flags } = decodeXdr(streamHole, frame.payload).value;
      if (length <= 0n || flags !== 0) {
        throw LibvirtError.system(ErrorDomain.STREAMS, EINVAL, "cannot write a hole of that length or flags to stream");
      }
      await this.#upload.hole(length);
    });
  }

  #receiveEnd(finished: boolean): void {
    this.#enqueue(async () => {
      this.#dead = true;
      if (finished) await this.#upload.finish();
      else await this.#upload.abort();
      this.#wire.confirm();
      this.#wire.forget();
    });
  }

  /** One packet after the other; the first failure ends the stream. */
  #enqueue(step: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (this.#failed) return;
      await step().catch((error: unknown) => this.#fail(error));
    });
  }

  async #fail(error: unknown): Promise<void> {
    this.#failed = true;
    this.#dead = true;
    this.backlogBytes = 0;
    this.#lessBacklog();
    await this.#upload.abort().catch(() => {});
    this.#wire.fail(LibvirtError.from(error));
    this.#wire.forget();
  }
}

/** What a stream that cannot be opened any more answers. */
export function tooManyStreams(limit: number): LibvirtError {
  return LibvirtError.of(ErrorCode.OPERATION_FAILED, ErrorDomain.STREAMS, `a client may have at most ${limit} streams`);
}
