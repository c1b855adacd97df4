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
import { IdleWatch } from "./idle-watch.js";
import type { ServerStream, StreamWire } from "./server-stream.js";

const SPARSE_STREAM = 1;

/** A packet that waits for those before it. */
interface Waiting {
  readonly bytes: number;
  /** undefined: done at once. */
  readonly step: () => Promise<void> | undefined;
}

/**
 * Takes a volume's content, packet after packet, in order. Nothing is acknowledged but the end. Mostly the upload takes
 * a packet at once; packets wait here only while it asks for time.
 */
export class UploadStream implements ServerStream {
  readonly #upload: Upload;
  readonly #wire: StreamWire;
  readonly #sparse: boolean;
  readonly #idle: IdleWatch;
  readonly #lessBacklog: () => void;
  readonly isSpent = false;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** Set while packets are worked off. */
  #working: Promise<void> | null = null;
  /** Takes no more packets. */
  #dead = false;
  #failed = false;

  constructor(
    upload: Upload,
    wire: StreamWire,
    flags: number,
    lessBacklog: () => void,
    idleMs: number = limits.streamIdleMs,
  ) {
    this.#upload = upload;
    this.#wire = wire;
    this.#sparse = (flags & SPARSE_STREAM) !== 0;
    this.#lessBacklog = lessBacklog;
    this.#idle = new IdleWatch(
      idleMs,
      () => this.#working === null,
      (error) => this.#fail(error),
    );
    upload.listen({ failed: (error) => this.#fail(error), moved: lessBacklog });
  }

  /** A client waits for us only through its socket: when this grows, the session stops reading. */
  get backlogBytes(): number {
    return this.#waitingBytes + this.#upload.heldBytes;
  }

  /** What the upload is given it takes at once, even if it then asks for time. */
  get keepsPackets(): boolean {
    return this.#waitingBytes > 0;
  }

  receive(frame: Frame): void {
    if (this.#dead) return;
    this.#idle.moved();
    if (frame.type === MessageType.STREAM_HOLE) this.#receiveHole(frame);
    else if (frame.status === MessageStatus.CONTINUE) this.#receiveData(frame.payload);
    else this.#receiveEnd(frame.status === MessageStatus.OK);
  }

  async abandon(): Promise<void> {
    this.#dead = true;
    this.#idle.stop();
    this.#upload.hurry();
    await this.#working;
    await this.#upload.abort(new LibvirtError(ErrorCode.OPERATION_ABORTED, ErrorDomain.STREAMS, "The client is gone"));
  }

  /** An empty packet says nothing (libvirt's daemon takes it for the end and loses what follows). */
  #receiveData(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#enqueue(bytes.length, () => this.#upload.write(bytes));
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
    this.#idle.stop();
    this.#enqueue(0, async () => {
      if (finished) await this.#upload.finish();
      else await this.#upload.abort(new LibvirtError(ErrorCode.OPERATION_ABORTED, ErrorDomain.STREAMS, GAVE_UP));
      if (this.#failed) return;
      this.#wire.confirm();
      this.#wire.forget(this);
    });
  }

  /** One packet after the other; the first failure ends the stream. */
  #enqueue(bytes: number, step: Waiting["step"]): void {
    if (this.#working === null) {
      const working = step();
      if (working !== undefined) this.#working = this.#workOff(working);
      return;
    }
    this.#waiting.push({ bytes, step });
    this.#waitingBytes += bytes + limits.streamPacketCostBytes;
  }

  async #workOff(first: Promise<void>): Promise<void> {
    try {
      await first;
      // New ones are added behind while these are worked off.
      for (let packets = this.#take(); packets.length > 0; packets = this.#take()) await this.#takeEach(packets);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#working = null;
      this.#lessBacklog();
    }
  }

  async #takeEach(packets: (Waiting | null)[]): Promise<void> {
    for (const [index, packet] of packets.entries()) {
      if (this.#failed || packet === null) return;
      const working = packet.step();
      if (working !== undefined) await working;
      // What was taken is not kept until the last one is.
      packets[index] = null;
      this.#waitingBytes = Math.max(0, this.#waitingBytes - packet.bytes - limits.streamPacketCostBytes);
    }
  }

  #take(): Waiting[] {
    const packets = this.#waiting;
    this.#waiting = [];
    return packets;
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#dead = true;
    this.#idle.stop();
    this.#waiting = [];
    this.#waitingBytes = 0;
    void this.#endWith(LibvirtError.from(error));
  }

  async #endWith(error: LibvirtError): Promise<void> {
    // The volume is free when the client hears of it.
    await this.#upload.abort(error).catch(() => {});
    this.#wire.fail(error);
    this.#wire.forget(this);
    this.#lessBacklog();
  }
}

const GAVE_UP = "The client gave the upload up";

/** libvirt answers with an unexpected REPLY packet here, at which clients give up the connection. */
function badHole(detail: string): LibvirtError {
  return LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STREAMS, detail);
}

/** What a stream that cannot be opened any more answers. */
export function tooManyStreams(limit: number): LibvirtError {
  return LibvirtError.of(ErrorCode.OPERATION_FAILED, ErrorDomain.STREAMS, `a client may have at most ${limit} streams`);
}
