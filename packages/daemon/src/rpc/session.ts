import type { Socket } from "node:net";
import {
  type AnyProcedure,
  cisternEvents,
  encodeError,
  encodeKeepalive,
  encodeReply,
  type Frame,
  FrameDecoder,
  Keepalive as KeepalivePacket,
  keepaliveKind,
  LibvirtError,
  type Message,
  MessageType,
  PROGRAM,
  ProtocolError,
  resolveCall,
} from "@cistern/protocol";
import type { Caller, Identity } from "../access/caller.js";
import { type CancelSignal, JobSignal } from "../cancel-signal.js";
import type { Jobs } from "../jobs/jobs.js";
import { limits } from "../limits.js";
import type { Logger } from "../logging/index.js";
import type { ClientConnection, OpenedAs } from "./call.js";
import type { Dispatcher, Outcome } from "./dispatch.js";
import { encodeForCallbacks, type Numbered } from "./event-packets.js";
import { HangUpWatch } from "./hang-up-watch.js";
import { readIntoOneBuffer } from "./incoming.js";
import { JobWatches } from "./job-watches.js";
import { Keepalive } from "./keepalive.js";
import { openedAs } from "./opening.js";
import { Outbox } from "./outbox.js";
import { refusalFacts } from "./refusal-facts.js";
import { ClientStreams } from "./streams/client-streams.js";
import { DownloadStream } from "./streams/download-stream.js";
import { packetWire } from "./streams/packet-wire.js";
import type { ServerStream } from "./streams/server-stream.js";
import { tooManyStreams, UploadStream } from "./streams/upload-stream.js";
import { Subscriptions } from "./subscriptions.js";
import type { Turn } from "./turn.js";
import { toWireJob } from "./wire-job.js";

export interface SessionOptions {
  readonly id: number;
  readonly readOnly: boolean;
  readonly identity: Identity;
  readonly dispatcher: Dispatcher;
  readonly jobs: Jobs;
  readonly log: Logger;
  readonly schemes: readonly string[];
  readonly opensSession: boolean;
  readonly maxRequests: number;
  /** Shared by all sessions. */
  readonly turn: Turn;
  readonly keepalive: { readonly intervalMs: number; readonly count: number };
  readonly streamIdleMs: number;
}

/** `emit` puts in the number of each watch. */
const ANY_WATCH = 0;

/**
 * One client's connection. Calls run side by side and their replies go out as they come, in any order, as the
 * protocol allows. Reading stops while too many calls run or a stream lags, which is all the flow control there is.
 */
export class Session implements ClientConnection {
  readonly id: number;
  readonly subscriptions = new Subscriptions();
  readonly jobWatches: JobWatches;
  opened: OpenedAs | null = null;
  refusesDefinedUses: boolean | null = null;
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #options: SessionOptions;
  readonly #decoder = new FrameDecoder(undefined, { splitStreamData: true });
  readonly #streams = new ClientStreams();
  readonly #keepalive: Keepalive;
  readonly #hangUp: HangUpWatch;
  readonly #gone = new JobSignal();
  #caller: Caller;
  #running = 0;
  /** Bodies of the running calls. */
  #runningBytes = 0;
  #calls = 0;
  #closing = false;
  /** Packets that came and were not looked at yet. */
  readonly #untaken: Frame[] = [];
  #deferred = false;
  #taking = false;

  /** `accepted` is paused from the start. */
  constructor(accepted: Socket, options: SessionOptions) {
    const socket = readIntoOneBuffer(accepted, (chunk) => this.#receive(chunk));
    this.#socket = socket;
    this.#outbox = new Outbox(socket, () => this.#disconnect("the client leaves too much unread"));
    this.#options = options;
    this.id = options.id;
    this.jobWatches = new JobWatches(options.jobs, (job, watchIds) =>
      this.emit(cisternEvents.jobEvent, { watchID: ANY_WATCH, job: toWireJob(job) }, watchIds),
    );
    this.#caller = { door: "rpc", readOnly: options.readOnly, identity: options.identity };
    this.#keepalive = new Keepalive({
      ...options.keepalive,
      ping: () => this.#ping(),
      giveUp: () => this.#disconnect("the client did not answer keepalive requests"),
    });
    this.#hangUp = new HangUpWatch(socket, () => socket.destroy());
    socket.on("drain", () => this.#onDrain());
    socket.on("error", (error) => options.log.debug({ client: options.id, err: error }, "client socket failed"));
    socket.on("close", () => this.#ended());
    socket.resume();
  }

  get gone(): CancelSignal {
    return this.#gone;
  }

  /** Sends an event to each callback that asked for it. */
  emit<Payload extends Numbered>(message: Message<Payload>, payload: Payload, callbackIds: readonly number[]): void {
    if (callbackIds.length > 0) this.#outbox.send(encodeForCallbacks(message, payload, callbackIds));
  }

  /** Replies that are under way are still sent; then the connection ends. */
  close(): void {
    this.#closing = true;
    this.#finish();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** What is under way to the client leaves; it is not read any more, so that its own end would not be noticed. */
  #finish(): void {
    this.#socket.end(() => this.#socket.destroy());
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

  #receive(chunk: Uint8Array): "kept" | "done" {
    this.#keepalive.heard();
    try {
      this.#untaken.push(...this.#decoder.push(chunk));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#disconnect(error.message);
    }
    this.#takeAll();
    // Packets are views of what came.
    return this.#untaken.length > 0 || this.#running > 0 || this.#streams.keepPackets ? "kept" : "done";
  }

  get #mayTake(): boolean {
    return !this.#closing && !this.#isWorking && !this.#outbox.isFull;
  }

  /** As much is under way for this client as it may have; what comes faster than it can be written waits in the socket. */
  get #isWorking(): boolean {
    return (
      this.#running >= this.#options.maxRequests ||
      this.#runningBytes >= limits.requestBytesPerClient ||
      this.#streams.keepPackets ||
      this.#streams.backlogBytes >= limits.streamBacklogBytes
    );
  }

  /**
   * Takes what came, in order. What does not fit into this turn of the event loop waits for the next, what is beyond
   * the work one client may have under way waits for its end, and behind replies that the client does not read.
   */
  #takeAll(): void {
    // A call may be refused while it is taken, and then wants to go on with the next.
    if (this.#taking) return;
    this.#taking = true;
    let taken = 0;
    while (taken < this.#untaken.length && this.#mayTake && !this.#options.turn.isOver) {
      const frame = this.#untaken[taken++];
      if (frame !== undefined) this.#take(frame);
    }
    this.#taking = false;
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
      this.#streams.of(frame)?.receive(frame);
    } else if (frame.type === MessageType.CALL_WITH_FDS) {
      this.#disconnect("file descriptors were passed, which no procedure here takes");
    }
    // Other packets (a REPLY, an event) mean nothing from a client; libvirt's daemon ignores them too.
  }

  #takeKeepalive(frame: Frame): void {
    if (keepaliveKind(frame) !== KeepalivePacket.PING) return;
    this.#outbox.send(encodeKeepalive(KeepalivePacket.PONG));
  }

  /** While this side does not read because it works, the client cannot be heard: its silence means nothing. */
  #ping(): void {
    if (this.#isWorking || this.#deferred) this.#keepalive.heard();
    else this.#outbox.send(encodeKeepalive(KeepalivePacket.PING));
  }

  async #takeCall(frame: Frame): Promise<void> {
    const id = `${this.#options.id}.${++this.#calls}`;
    this.#running++;
    this.#runningBytes += frame.payload.length;
    const startedAt = performance.now();
    let name = String(frame.procedure);
    try {
      const procedure = resolveCall(frame);
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
      this.#outbox.send(encodeError(frame, refusal));
      this.#options.log.info(
        {
          call: id,
          procedure: name,
          ms: performance.now() - startedAt,
          ...refusalFacts(refusal),
        },
        "call refused",
      );
    } finally {
      this.#running--;
      this.#runningBytes -= frame.payload.length;
      if (this.#closing) this.#finish();
      else this.#proceed();
    }
  }

  /** Some work ended: there may be room for what waits. */
  #proceed(): void {
    if (this.#untaken.length > 0 && !this.#deferred) this.#takeAll();
    else this.#balance();
  }

  #reply(procedure: AnyProcedure, frame: Frame, outcome: Outcome): void {
    this.#outbox.send(encodeReply(frame, procedure, outcome.kind === "value" ? outcome.value : undefined));
    if (outcome.kind === "value") return;
    const wire = packetWire(frame, this.#outbox, {
      forget: (stream) => this.#streams.remove(frame.serial, stream),
      disconnect: (reason) => this.#disconnect(reason),
    });
    const { streamIdleMs } = this.#options;
    if (outcome.kind === "upload") {
      this.#adopt(frame, new UploadStream(outcome.upload, wire, outcome.flags, () => this.#proceed(), streamIdleMs));
    } else {
      const stream = new DownloadStream(outcome.download, wire, streamIdleMs);
      this.#adopt(frame, stream);
      stream.start();
    }
    // The client went away while the stream was being opened.
    if (this.#socket.destroyed) this.#ended();
  }

  #adopt(frame: Frame, stream: ServerStream): void {
    if (this.#streams.add(frame, stream)) return;
    this.#abandon(stream);
    this.#disconnect(`two streams at once under serial ${frame.serial}`);
  }

  #refuseTooManyStreams(procedure: AnyProcedure): void {
    if (procedure.stream !== undefined && this.#streams.liveCount >= limits.streamsPerClient) {
      throw tooManyStreams(limits.streamsPerClient);
    }
  }

  /** The client took all there was for it: it lives. */
  #onDrain(): void {
    this.#keepalive.heard();
    this.#proceed();
  }

  /**
   * Reads on, or not, as the work in hand allows. While it closes, what comes is read and dropped: behind it is the client's
   * end, without which neither the connection nor what its streams hold would ever be given back.
   */
  #balance(): void {
    const isFull = this.#untaken.length > 0 || !this.#mayTake;
    if (isFull && !this.#closing) {
      this.#socket.pause();
      this.#hangUp.paused();
    } else if (this.#socket.isPaused()) this.#socket.resume();
  }

  #disconnect(reason: string): void {
    this.#options.log.warn({ client: this.#options.id, reason }, "client disconnected");
    this.#closing = true;
    this.#socket.destroy();
  }

  #ended(): void {
    this.#keepalive.stop();
    this.#closing = true;
    this.jobWatches.close();
    this.#gone.abort(new Error("the client went away"));
    for (const stream of this.#streams.clear()) this.#abandon(stream);
  }

  #abandon(stream: ServerStream): void {
    stream.abandon().catch((error: unknown) => {
      this.#options.log.warn({ client: this.#options.id, err: error }, "stream of a lost client ended badly");
    });
  }
}
