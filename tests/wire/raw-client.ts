import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import {
  connect as connectProcedures,
  decodeError,
  decodeReply,
  decodeXdr,
  encodeCall,
  encodeFrame,
  encodePacket,
  type Frame,
  FrameDecoder,
  type FrameHeader,
  MessageStatus,
  MessageType,
  PROGRAM,
  PROGRAM_VERSION,
  type Procedure,
  storage,
  streamHole,
} from "@cistern/protocol";

const ANSWER_MS = 10_000;

/** A client that speaks packets, right or wrong, and hides nothing of what comes back. */
export class RawClient {
  readonly socket: Socket;
  readonly #decoder = new FrameDecoder();
  readonly #received: Frame[] = [];
  #wake: () => void = () => {};
  #serial = 0;
  closed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk) => {
      this.#received.push(...this.#decoder.push(chunk));
      this.#wake();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.closed = true;
      this.#wake();
    });
  }

  static async connect(path: string): Promise<RawClient> {
    const socket = connect(path);
    await once(socket, "connect");
    return new RawClient(socket);
  }

  static async open(path: string, name = "storage:///system"): Promise<RawClient> {
    const client = await RawClient.connect(path);
    await client.request(connectProcedures.connectOpen, { name, flags: 0 });
    return client;
  }

  send(...packets: readonly Uint8Array[]): void {
    for (const packet of packets) this.socket.write(packet);
  }

  /** Sends a call and gives its serial. */
  call<Args, Result>(procedure: Procedure<Args, Result>, args: Args): number {
    const serial = this.#serial++;
    this.send(encodeCall(procedure, serial, args));
    return serial;
  }

  /** What has come and was not looked at. */
  takeAll(): Frame[] {
    return this.#received.splice(0);
  }

  /** The next packet, whatever it is; null: the server closed the connection. */
  async next(timeoutMs = ANSWER_MS): Promise<Frame | null> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const frame = this.#received.shift();
      if (frame !== undefined) return frame;
      if (this.closed) return null;
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`nothing came within ${timeoutMs} ms`);
      const waiting = new AbortController();
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await Promise.race([woken, sleep(left, undefined, { signal: waiting.signal }).catch(() => {})]);
      waiting.abort();
    }
  }

  /** Calls and gives the answer, which must be the next packet; throws the error that it carries. */
  async request<Args, Result>(procedure: Procedure<Args, Result>, args: Args, timeoutMs = ANSWER_MS): Promise<Result> {
    const serial = this.call(procedure, args);
    const frame = await this.next(timeoutMs);
    if (frame === null) throw new Error("the server closed the connection");
    if (frame.type !== MessageType.REPLY || frame.serial !== serial) {
      throw new Error(`packet of type ${frame.type} and serial ${frame.serial} instead of the reply ${serial}`);
    }
    return decodeReply(procedure, frame);
  }

  /** Opens a stream on a volume. */
  async stream(
    kind: "upload" | "download",
    volume: { pool: string; name: string },
    { offset = 0n, length = 0n, sparse = false } = {},
  ): Promise<RawStream> {
    const procedure = kind === "upload" ? storage.storageVolUpload : storage.storageVolDownload;
    const vol = { ...volume, key: "" };
    await this.request<{ vol: typeof vol; offset: bigint; length: bigint; flags: number }, void>(procedure, {
      vol,
      offset,
      length,
      flags: sparse ? 1 : 0,
    });
    return new RawStream(this, procedure.number, this.#serial - 1);
  }

  close(): void {
    this.socket.destroy();
  }
}

/** What came back on a stream: data, "end" (the empty packet), "confirmed", a hole's length, or an error. */
export type StreamAnswer =
  | Uint8Array
  | "end"
  | "confirmed"
  | bigint
  | { readonly error: string; readonly code: number };

/** The packets of one stream. */
export class RawStream {
  readonly #client: RawClient;
  readonly #procedure: number;
  readonly serial: number;

  constructor(client: RawClient, procedure: number, serial: number) {
    this.#client = client;
    this.#procedure = procedure;
    this.serial = serial;
  }

  data(bytes: Uint8Array | string): void {
    this.#send(MessageType.STREAM, MessageStatus.CONTINUE, Buffer.from(bytes));
  }
  hole(length: bigint, flags = 0): void {
    const header = this.#header(MessageType.STREAM_HOLE, MessageStatus.CONTINUE);
    this.#client.send(encodePacket(header, streamHole, { length, flags }));
  }
  finish(): void {
    this.#send(MessageType.STREAM, MessageStatus.OK, new Uint8Array());
  }
  abort(): void {
    this.#send(MessageType.STREAM, MessageStatus.ERROR, new Uint8Array());
  }

  /** The next packet, which must be one of this stream; null: the connection is closed. */
  async answer(): Promise<StreamAnswer | null> {
    const frame = await this.#client.next();
    if (frame === null) return null;
    if (frame.serial !== this.serial || frame.procedure !== this.#procedure) {
      throw new Error(`packet of serial ${frame.serial} and procedure ${frame.procedure} on stream ${this.serial}`);
    }
    if (frame.status === MessageStatus.ERROR) {
      if (frame.type !== MessageType.STREAM) throw new Error(`error in a packet of type ${frame.type}`);
      const { message, code } = decodeError(frame);
      return { error: message, code };
    }
    if (frame.type === MessageType.STREAM_HOLE) return decodeXdr(streamHole, frame.payload).value.length;
    if (frame.type !== MessageType.STREAM) throw new Error(`packet of type ${frame.type} on a stream`);
    if (frame.status === MessageStatus.OK) return "confirmed";
    return frame.payload.length === 0 ? "end" : Buffer.from(frame.payload);
  }

  /** All that comes up to and with the end of the data, in few pieces: adjacent data is joined. */
  async content(): Promise<StreamAnswer[]> {
    const parts: StreamAnswer[] = [];
    for (;;) {
      const answer = await this.answer();
      if (answer === null) throw new Error("the server closed the connection");
      const last = parts.at(-1);
      if (answer instanceof Uint8Array && last instanceof Uint8Array)
        parts.splice(-1, 1, Buffer.concat([last, answer]));
      else parts.push(answer);
      if (!(answer instanceof Uint8Array) && typeof answer !== "bigint") return parts;
    }
  }

  #send(type: number, status: number, payload: Uint8Array): void {
    this.#client.send(encodeFrame({ ...this.#header(type, status), payload }));
  }

  #header(type: number, status: number): FrameHeader {
    const { serial } = this;
    return { program: PROGRAM.REMOTE, version: PROGRAM_VERSION, procedure: this.#procedure, type, serial, status };
  }
}
