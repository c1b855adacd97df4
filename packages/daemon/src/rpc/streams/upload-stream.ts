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
import { limits } from "../../limits.js";
import type { Upload } from "../../volumes/upload.js";
import type { ServerStream, StreamWire } from "./server-stream.js";

const SPARSE_STREAM = 1;

/** Takes a volume's content, packet after packet, in order. Nothing is acknowledged but the end. */
export class UploadStream implements ServerStream {
  readonly #upload: Upload;
  readonly #wire: StreamWire;
  readonly #sparse: boolean;
  /** A client waits for us only through its socket: when this grows, the session stops reading. */
  backlogBytes = 0;
  readonly isSpent = false;
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
    this.#enqueue(bytes.length, () => this.#upload.write(bytes));
  }

  #receiveHole(frame: Frame): void {
    if (!this.#sparse) {
      this.#wire.disconnect("a hole in a stream that was not opened as sparse");
      return;
    }
    this.#enqueue(frame.payload.length, async () => {
      const { length, flags } = decodeXdr(streamHole, frame.payload).value;
      if (length <= 0n) throw badHole(`a hole of ${length} bytes in a stream`);
      if (flags !== 0) throw badHole(`unknown flags 0x${flags.toString(16)} of a hole in a stream`);
      await this.#upload.hole(length);
    });
  }

  #receiveEnd(finished: boolean): void {
    this.#dead = true;
    this.#enqueue(0, async () => {
      if (finished) await this.#upload.finish();
      else await this.#upload.abort();
      this.#wire.confirm();
      this.#wire.forget(this);
    });
  }

  /** One packet after the other; the first failure ends the stream. */
  #enqueue(bytes: number, step: () => Promise<void>): void {
    const cost = bytes + limits.streamPacketCostBytes;
    this.backlogBytes += cost;
    this.#work = this.#work.then(async () => {
      try {
        if (!this.#failed) await step();
      } catch (error) {
        await this.#fail(error);
      } finally {
        this.backlogBytes -= cost;
        this.#lessBacklog();
      }
    });
  }

  async #fail(error: unknown): Promise<void> {
    this.#failed = true;
    this.#dead = true;
    await this.#upload.abort().catch(() => {});
    this.#wire.fail(LibvirtError.from(error));
    this.#wire.forget(this);
  }
}

/** libvirt answers with an unexpected REPLY packet here, at which clients give up the connection. */
function badHole(detail: string): LibvirtError {
  return LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STREAMS, detail);
}

/** What a stream that cannot be opened any more answers. */
export function tooManyStreams(limit: number): LibvirtError {
  return LibvirtError.of(ErrorCode.OPERATION_FAILED, ErrorDomain.STREAMS, `a client may have at most ${limit} streams`);
}
