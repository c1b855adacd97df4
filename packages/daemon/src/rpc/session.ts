import type { Socket } from "node:net";
import {
  type AnyProcedure,
  encodeHeader,
  encodePacket,
  errorCodeName,
  type Frame,
  FrameDecoder,
  type FrameHeader,
  LibvirtError,
  type Message,
  MessageStatus,
  MessageType,
  nothing,
  PROGRAM,
  PROGRAM_VERSION,
  ProtocolError,
  remoteError,
  streamHole,
} from "@cistern/protocol";
import type { Caller, Identity } from "../access/caller.js";
import { limits } from "../limits.js";
import type { Logger } from "../logging/index.js";
import type { ClientConnection, OpenedAs } from "./call.js";
import type { Dispatcher, Outcome } from "./dispatch.js";
import { Keepalive } from "./keepalive.js";
import { openedAs } from "./opening.js";
import { DownloadStream } from "./streams/download-stream.js";
import type { ServerStream, StreamWire } from "./streams/server-stream.js";
import { tooManyStreams, UploadStream } from "./streams/upload-stream.js";
import { Subscriptions } from "./subscriptions.js";
import type { Turn } from "./turn.js";

const KEEPALIVE_PING = 1;
const KEEPALIVE_PONG = 2;

export interface SessionOptions {
  readonly id: number;
  readonly readOnly: boolean;
  readonly identity: Identity;
  readonly dispatcher: Dispatcher;
  readonly log: Logger;
  readonly schemes: readonly string[];
  readonly opensSession: boolean;
  readonly maxRequests: number;
  /** Shared by all sessions. */
  readonly turn: Turn;
  readonly keepalive: { readonly intervalMs: number; readonly count: number };
}

/**
 * One client's connection. Calls run side by side and their replies go out as they come, in any order, as the
 * protocol allows. Reading stops while too many calls run or a stream lags, which is all the flow control there is.
 */
export class Session implements ClientConnection {
  readonly subscriptions = new Subscriptions();
  opened: OpenedAs | null = null;
  readonly #socket: Socket;
  readonly #options: SessionOptions;
  readonly #decoder = new FrameDecoder();
  readonly #streams = new Map<number, ServerStream>();
  readonly #keepalive: Keepalive;
  #caller: Caller;
  #running = 0;
  #calls = 0;
  #closing = false;
  #corked = false;
  /** Packets that came and were not looked at yet. */
  readonly #untaken: Frame[] = [];
  #deferred = false;

  constructor(socket: Socket, options: SessionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#caller = { door: "rpc", readOnly: options.readOnly, identity: options.identity };
    this.#keepalive = new Keepalive({
      ...options.keepalive,
      ping: () => this.#ping(),
      giveUp: () => this.#disconnect("the client did not answer keepalive requests"),
    });
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("drain", () => this.#balance());
    socket.on("error", (error) => options.log.debug({ client: options.id, err: error }, "client socket failed"));
    socket.on("close", () => this.#ended());
  }

  /** Sends an event to each callback that asked for it. */
  emit<Payload>(message: Message<Payload>, payload: Payload): void {
    const header = { ...remoteHeader(message.number), type: MessageType.MESSAGE, serial: 0, status: MessageStatus.OK };
    this.#send(encodePacket(header, message.payload, payload));
  }

  /** Replies that are under way are still sent; then the connection ends. */
  close(): void {
    this.#closing = true;
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  open(name: string | null, readOnly: boolean): void {
    this.opened = openedAs(name, this.opened, this.#options);
    if (readOnly) this.#caller = { ...this.#caller, readOnly: true };
  }

  startKeepalive(): void {
    this.#keepalive.start();
  }

  identify(facts: Readonly<Record<string, string | number | bigint | boolean>>, elevated: boolean): void {
    this.#caller = { ...this.#caller, identity: { ...this.#caller.identity, onBehalfOf: facts, elevated } };
  }

  closeAfterReply(): void {
    this.#closing = true;
  }

  #receive(chunk: Buffer): void {
    this.#keepalive.heard();
    try {
      this.#untaken.push(...this.#decoder.push(chunk));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#disconnect(error.message);
    }
    this.#takeAll();
  }

  get #mayTake(): boolean {
    return !this.#closing && this.#running < this.#options.maxRequests;
  }

  /**
   * Takes what came, in order. What does not fit into this turn of the event loop waits for the next, what is beyond
   * the calls one client may have under way waits for their ends.
   */
  #takeAll(): void {
    let taken = 0;
    while (taken < this.#untaken.length && this.#mayTake && !this.#options.turn.isOver) {
      const frame = this.#untaken[taken++];
      if (frame !== undefined) this.#take(frame);
    }
    this.#untaken.splice(0, this.#closing ? this.#untaken.length : taken);
    if (this.#untaken.length > 0 && this.#mayTake && !this.#deferred) {
      this.#deferred = true;
      setImmediate(() => {
        this.#deferred = false;
        this.#takeAll();
      });
    }
    this.#balance();
  }

  #take(frame: Frame): void {
    if (frame.program === PROGRAM.KEEPALIVE) this.#takeKeepalive(frame);
    else if (frame.type === MessageType.CALL) void this.#takeCall(frame);
    else if (frame.type === MessageType.STREAM || frame.type === MessageType.STREAM_HOLE) {
      this.#streams.get(frame.serial)?.receive(frame);
    } else if (frame.type === MessageType.CALL_WITH_FDS) {
      this.#disconnect("file descriptors were passed, which no procedure here takes");
    }
    // Other packets (a REPLY, an event) mean nothing from a client; libvirt's daemon ignores them too.
  }

  #takeKeepalive(frame: Frame): void {
    if (frame.procedure !== KEEPALIVE_PING) return;
    this.#send(encodePacket(keepaliveHeader(KEEPALIVE_PONG), nothing, undefined));
  }

  /** While this side does not read, the client cannot be heard: its silence means nothing. */
  #ping(): void {
    if (this.#socket.isPaused()) this.#keepalive.heard();
    else this.#send(encodePacket(keepaliveHeader(KEEPALIVE_PING), nothing, undefined));
  }

  async #takeCall(frame: Frame): Promise<void> {
    const id = `${this.#options.id}-${++this.#calls}`;
    this.#running++;
    const startedAt = performance.now();
    let name = String(frame.procedure);
    try {
      const procedure = this.#options.dispatcher.procedureOf(frame);
      name = procedure.name;
      this.#refuseTooManyStreams(procedure);
      const outcome = await this.#options.dispatcher.run(procedure, frame, {
        id,
        caller: this.#caller,
        connection: this,
      });
      this.#reply(procedure, frame, outcome);
      this.#options.log.debug({ call: id, procedure: name, ms: performance.now() - startedAt }, "call answered");
    } catch (error) {
      const refusal = LibvirtError.from(error);
      this.#send(
        encodePacket({ ...frame, type: MessageType.REPLY, status: MessageStatus.ERROR }, remoteError, refusal.toWire()),
      );
      this.#options.log.info(
        {
          call: id,
          procedure: name,
          ms: performance.now() - startedAt,
          code: errorCodeName(refusal.code),
          reason: refusal.message,
          ...(refusal.cause === undefined ? {} : { err: refusal.cause }),
        },
        "call refused",
      );
    } finally {
      this.#running--;
      if (this.#closing) this.#socket.end();
      else if (this.#untaken.length > 0 && !this.#deferred) this.#takeAll();
      else this.#balance();
    }
  }

  #reply(procedure: AnyProcedure, frame: Frame, outcome: Outcome): void {
    const header = { ...frame, type: MessageType.REPLY, status: MessageStatus.OK };
    this.#send(encodePacket(header, procedure.result, outcome.kind === "value" ? outcome.value : undefined));
    if (outcome.kind === "value") return;
    const wire = this.#streamWire(frame);
    if (outcome.kind === "upload") {
      const stream = new UploadStream(outcome.upload, wire, outcome.flags, () => this.#balance());
      this.#streams.set(frame.serial, stream);
    } else {
      const stream = new DownloadStream(outcome.download, wire);
      this.#streams.set(frame.serial, stream);
      stream.start();
    }
    // The client went away while the stream was being opened.
    if (this.#socket.destroyed) this.#ended();
  }

  #refuseTooManyStreams(procedure: AnyProcedure): void {
    if (procedure.stream !== undefined && this.#streams.size >= limits.streamsPerClient) {
      throw tooManyStreams(limits.streamsPerClient);
    }
  }

  #streamWire(frame: Frame): StreamWire {
    const header = (type: number, status: number): FrameHeader => ({ ...frame, type, status });
    const packet = (status: number): Uint8Array => encodePacket(header(MessageType.STREAM, status), nothing, undefined);
    return {
      data: async (bytes) => {
        this.#send(encodeHeader(header(MessageType.STREAM, MessageStatus.CONTINUE), bytes.length));
        this.#send(bytes);
        await this.#drained();
      },
      hole: (length) =>
        this.#send(
          encodePacket(header(MessageType.STREAM_HOLE, MessageStatus.CONTINUE), streamHole, { length, flags: 0 }),
        ),
      endOfFile: () => this.#send(packet(MessageStatus.CONTINUE)),
      confirm: () => this.#send(packet(MessageStatus.OK)),
      fail: (error) =>
        this.#send(encodePacket(header(MessageType.STREAM, MessageStatus.ERROR), remoteError, error.toWire())),
      forget: () => this.#streams.delete(frame.serial),
      disconnect: (reason) => this.#disconnect(reason),
    };
  }

  /** Packets of one turn of the event loop leave in one system call. */
  #send(bytes: Uint8Array): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      setImmediate(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(bytes);
    if (this.#socket.writableLength > limits.clientBacklogBytes) {
      this.#disconnect(`the client left ${limits.clientBacklogBytes} bytes unread`);
    }
  }

  async #drained(): Promise<void> {
    if (!this.#socket.writableNeedDrain || this.#socket.destroyed) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#socket.off("drain", done);
        this.#socket.off("close", done);
        resolve();
      };
      this.#socket.on("drain", done);
      this.#socket.on("close", done);
    });
  }

  /** Reads on, or not, as the work in hand allows. */
  #balance(): void {
    let backlog = 0;
    for (const stream of this.#streams.values()) backlog += stream.backlogBytes;
    const busy =
      this.#untaken.length > 0 || this.#running >= this.#options.maxRequests || backlog >= limits.streamBacklogBytes;
    if (busy) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  #disconnect(reason: string): void {
    this.#options.log.warn({ client: this.#options.id, reason }, "client disconnected");
    this.#closing = true;
    this.#socket.destroy();
  }

  #ended(): void {
    this.#keepalive.stop();
    this.#closing = true;
    for (const [serial, stream] of this.#streams) {
      this.#streams.delete(serial);
      stream.abandon().catch((error: unknown) => {
        this.#options.log.warn({ client: this.#options.id, err: error }, "stream of a lost client ended badly");
      });
    }
  }
}

function remoteHeader(procedure: number): Pick<FrameHeader, "program" | "version" | "procedure"> {
  return { program: PROGRAM.REMOTE, version: PROGRAM_VERSION, procedure };
}

function keepaliveHeader(procedure: number): FrameHeader {
  return {
    program: PROGRAM.KEEPALIVE,
    version: PROGRAM_VERSION,
    procedure,
    type: MessageType.MESSAGE,
    serial: 0,
    status: MessageStatus.OK,
  };
}
