import {
  decodeError,
  decodeXdr,
  ErrorCode,
  ErrorDomain,
  encodeHeader,
  encodePacket,
  type Frame,
  type FrameHeader,
  LibvirtError,
  MessageStatus,
  MessageType,
  LIMITS as PROTOCOL_LIMITS,
  streamHole,
} from "@cistern/protocol";
import { LIMITS } from "../limits.js";

/** What the port needs of its connection. */
export interface PacketSink {
  write(...pieces: readonly Uint8Array[]): Promise<void>;
  releaseStream(serial: number): void;
  pause(pauser: object): void;
  resume(pauser: object): void;
  readonly isPaused: boolean;
}

/** What comes out of a stream. After `finished` or `failed` nothing follows. */
export interface StreamListener {
  /** Bytes, however the server cut them. */
  data(bytes: Uint8Array): void;
  /** So many zeros, of a stream that was opened as sparse. */
  hole(lengthBytes: bigint): void;
  /** No more data: an empty packet. */
  end(): void;
  /** The server confirms that everything is done. */
  finished(): void;
  /** The server or the connection ended the stream. */
  failed(error: LibvirtError): void;
}

const silent: StreamListener = { data() {}, hole() {}, end() {}, finished() {}, failed() {} };

/** The packets of one stream: it shares serial and procedure with the call that opened it. */
export class StreamPort {
  readonly #sink: PacketSink;
  readonly #header: FrameHeader;
  readonly #idle: NodeJS.Timeout;
  #listener: StreamListener | null = null;
  /** Packets that came before anybody listened. */
  #early: Frame[] = [];
  #over = false;

  /** @internal */
  constructor(sink: PacketSink, opening: FrameHeader) {
    this.#sink = sink;
    this.#header = { ...opening, type: MessageType.STREAM, status: MessageStatus.CONTINUE };
    this.#idle = setTimeout(() => this.#onIdle(), LIMITS.streamIdleTimeoutMs);
    this.#idle.unref();
  }

  /** From now on `listener` gets what comes. */
  listen(listener: StreamListener): void {
    this.#listener = listener;
    const early = this.#early;
    this.#early = [];
    this.#sink.resume(this);
    for (const frame of early) this.receive(frame);
  }

  /**
   * Sends bytes, however they are cut, in packets that every server takes; resolves when there is room for more. Many
   * packets go out together: one at a time, each would wait for the one before.
   */
  async sendData(...pieces: readonly Uint8Array[]): Promise<void> {
    let batch: Uint8Array[] = [];
    let batchBytes = 0;
    for (const packet of packetsOf(pieces)) {
      const bytes = packet.reduce((sum, { length }) => sum + length, 0);
      batch.push(encodeHeader(this.#header, bytes), ...packet);
      batchBytes += bytes;
      if (batchBytes < LIMITS.uploadBatchBytes && batch.length < LIMITS.uploadBatchPieces) continue;
      await this.#send(batch);
      batch = [];
      batchBytes = 0;
    }
    if (batch.length > 0) await this.#send(batch);
  }

  /** Sends that `lengthBytes` zeros follow; only on streams that were opened as sparse. */
  async sendHole(lengthBytes: bigint): Promise<void> {
    this.#idle.refresh();
    const header = { ...this.#header, type: MessageType.STREAM_HOLE };
    await this.#sink.write(encodePacket(header, streamHole, { length: lengthBytes, flags: 0 }));
  }

  /** Says that all was sent or received; the server answers with `finished` or `failed`. */
  async finish(): Promise<void> {
    this.#idle.refresh();
    await this.#sink.write(encodeHeader({ ...this.#header, status: MessageStatus.OK }, 0));
  }

  /** Ends the stream early; nobody hears what still comes. */
  abort(): void {
    if (this.#over) return;
    this.listen(silent);
    // The server's answer, or the end of the connection, releases it.
    this.#sink.write(encodeHeader({ ...this.#header, status: MessageStatus.ERROR }, 0)).catch(() => {});
  }

  /** The reader is full, or has room again. */
  setFull(full: boolean): void {
    this.#idle.refresh();
    if (full) this.#sink.pause(this);
    else this.#sink.resume(this);
  }

  /** @internal */
  receive(frame: Frame): void {
    this.#idle.refresh();
    if (this.#listener === null) {
      this.#early.push(frame);
      this.#sink.pause(this);
      return;
    }
    const listener = this.#listener;
    if (frame.status === MessageStatus.ERROR) {
      const error = frame.payload.length > 0 ? decodeError(frame) : streamFailed("The server ended the stream");
      this.#close();
      listener.failed(error);
    } else if (frame.status === MessageStatus.OK) {
      this.#close();
      listener.finished();
    } else if (frame.type === MessageType.STREAM_HOLE) {
      listener.hole(decodeXdr(streamHole, frame.payload).value.length);
    } else if (frame.payload.length === 0) {
      listener.end();
    } else {
      listener.data(frame.payload);
    }
  }

  /** The connection ended. @internal */
  lost(error: LibvirtError): void {
    if (this.#over) return;
    this.#close();
    this.#listener?.failed(error);
  }

  async #send(pieces: readonly Uint8Array[]): Promise<void> {
    this.#idle.refresh();
    await this.#sink.write(...pieces);
  }

  #onIdle(): void {
    // A reader that takes its time is no fault of the server's.
    if (this.#sink.isPaused) {
      this.#idle.refresh();
      return;
    }
    const listener = this.#listener;
    this.abort();
    listener?.failed(streamFailed(`Nothing moved on the stream for ${LIMITS.streamIdleTimeoutMs} ms`));
  }

  #close(): void {
    this.#over = true;
    clearTimeout(this.#idle);
    this.#sink.resume(this);
    this.#sink.releaseStream(this.#header.serial);
  }
}

/** The bodies of the packets that carry `pieces`, without copying: as full as can be, where the pieces are not tiny. */
function* packetsOf(pieces: readonly Uint8Array[]): Generator<Uint8Array[]> {
  let packet: Uint8Array[] = [];
  let room: number = PROTOCOL_LIMITS.streamDataBytes;
  for (const piece of pieces) {
    for (let start = 0; start < piece.length; ) {
      const part = piece.subarray(start, start + room);
      packet.push(part);
      start += part.length;
      room -= part.length;
      if (room > 0 && packet.length < LIMITS.uploadBatchPieces) continue;
      yield packet;
      packet = [];
      room = PROTOCOL_LIMITS.streamDataBytes;
    }
  }
  if (packet.length > 0) yield packet;
}

function streamFailed(text: string): LibvirtError {
  return LibvirtError.of(ErrorCode.OPERATION_FAILED, ErrorDomain.STREAMS, text);
}
