import type { Duplex } from "node:stream";
import {
  type AnyProcedure,
  decodeReply,
  ErrorCode,
  ErrorDomain,
  encodeCall,
  encodeKeepalive,
  type Frame,
  FrameDecoder,
  isKnownProgram,
  Keepalive,
  keepaliveKind,
  LibvirtError,
  MessageStatus,
  MessageType,
  messageByNumber,
  type Procedure,
} from "@cistern/protocol";
import { givenUp } from "./giving-up.js";
import { LIMITS } from "./limits.js";
import { StreamPort } from "./streams/stream-port.js";
import { unsendable } from "./wrong-arguments.js";

/** How long a call may take. Its default deadline is 30 s, and a day where it works on storage. */
export interface CallOptions {
  /** Gives the call up. The server is not told: what it does, it does. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the call is given up, with 68. */
  readonly timeoutMs?: number | undefined;
}

interface PendingCall {
  readonly procedure: AnyProcedure;
  /** Called while the packet is being handled: packets behind it in the same chunk find what this has set up. */
  readonly onReply: (frame: Frame) => void;
  readonly onLost: (error: LibvirtError) => void;
}

/**
 * One connection's packets: calls matched with their replies by serial (any number may be under way), streams, events,
 * and keepalive. Everything above it speaks in procedures and values.
 */
export class Channel {
  readonly #transport: Duplex;
  readonly #decoder = new FrameDecoder();
  readonly #pending = new Map<number, PendingCall>();
  readonly #streams = new Map<number, StreamPort>();
  readonly #pausedBy = new Set<object>();
  #drainWaiters: (() => void)[] = [];
  #nextSerial = 0;
  #heard = true;
  #unanswered = 0;
  #keepalive: NodeJS.Timeout | null = null;
  #closedBy: LibvirtError | null = null;
  readonly #onEvent: (frame: Frame) => void;
  readonly #onClosed: (error: LibvirtError) => void;

  constructor(
    transport: Duplex,
    listeners: { onEvent: (frame: Frame) => void; onClosed: (error: LibvirtError) => void },
  ) {
    this.#transport = transport;
    this.#onEvent = listeners.onEvent;
    this.#onClosed = listeners.onClosed;
    transport.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    transport.on("drain", () => this.#wakeWriters());
    transport.on("error", (error) => this.fail(connectionLost(`The connection broke: ${error.message}`, error)));
    transport.on("end", () => this.fail(connectionLost("The server closed the connection")));
    transport.on("close", () => this.fail(connectionLost("The connection was closed")));
  }

  /** Why nothing more can be sent; null while the connection lives. */
  get closedBy(): LibvirtError | null {
    return this.#closedBy;
  }

  /**
   * Sends a call and waits for its reply. Rejects with the server's `LibvirtError`, with 68 after the deadline, with 78
   * when `signal` aborts, and with 39/13 when the connection ends. `onResult` sees the result before any later packet,
   * `onLate` one that comes when the call was given up.
   */
  async call<Args, Result>(
    procedure: Procedure<Args, Result>,
    args: Args,
    options: CallOptions & {
      readonly onResult?: (result: Result) => void;
      readonly onLate?: (result: Result) => void;
    } = {},
  ): Promise<Result> {
    const understand = (frame: Frame): Result => {
      const result = decodeReply(procedure, frame);
      options.onResult?.(result);
      return result;
    };
    const late = (frame: Frame): void => options.onLate?.(decodeReply(procedure, frame));
    return this.#send(procedure, args, options, understand, late);
  }

  /** Calls a procedure that opens a stream; the port is ready when the promise resolves, and misses no packet. */
  async openStream<Args>(procedure: Procedure<Args, void>, args: Args, options: CallOptions): Promise<StreamPort> {
    const understand = (frame: Frame): StreamPort => {
      decodeReply(procedure, frame);
      return this.#addStream(frame);
    };
    // A stream that nobody waits for any more is ended at once.
    return this.#send(procedure, args, options, understand, (frame) => this.#addStream(frame).abort());
  }

  /** Sends packets as they are; resolves when there is room for more. */
  async write(...pieces: readonly Uint8Array[]): Promise<void> {
    if (this.#closedBy !== null) throw this.#closedBy;
    this.#transport.cork();
    let room = true;
    for (const piece of pieces) room = this.#transport.write(piece);
    this.#transport.uncork();
    if (room) return;
    await new Promise<void>((resolve) => this.#drainWaiters.push(resolve));
    if (this.#closedBy !== null) throw this.#closedBy;
  }

  /** Stops reading until every pauser has resumed: a stream's reader is slower than the server. */
  pause(pauser: object): void {
    this.#pausedBy.add(pauser);
    this.#transport.pause();
  }

  resume(pauser: object): void {
    if (!this.#pausedBy.delete(pauser) || this.#pausedBy.size > 0) return;
    this.#heard = true;
    this.#transport.resume();
  }

  get isPaused(): boolean {
    return this.#pausedBy.size > 0;
  }

  releaseStream(serial: number): void {
    this.#streams.delete(serial);
  }

  /** Asks for a sign of life after silence, and ends the connection when there is none. */
  startKeepalive(intervalMs: number, count: number): void {
    if (this.#keepalive !== null || intervalMs <= 0) return;
    this.#keepalive = setInterval(() => this.#checkAlive(count), intervalMs);
    this.#keepalive.unref();
  }

  /** Ends the connection; everything under way is rejected with `error`. */
  fail(error: LibvirtError): void {
    if (this.#closedBy !== null) return;
    this.#closedBy = error;
    if (this.#keepalive !== null) clearInterval(this.#keepalive);
    this.#transport.destroy();
    for (const { onLost } of [...this.#pending.values()]) onLost(error);
    for (const stream of [...this.#streams.values()]) stream.lost(error);
    this.#pending.clear();
    this.#streams.clear();
    this.#wakeWriters();
    this.#onClosed(error);
  }

  #send<Args, Result, Answer>(
    procedure: Procedure<Args, Result>,
    args: Args,
    options: CallOptions,
    understand: (frame: Frame) => Answer,
    late: (frame: Frame) => void,
  ): Promise<Answer> {
    if (this.#closedBy !== null) return Promise.reject(this.#closedBy);
    if (options.signal?.aborted === true) return Promise.reject(givenUp(procedure.api));
    if (this.#pending.size >= LIMITS.pendingCalls) {
      const text = `${LIMITS.pendingCalls} calls have no reply yet`;
      return Promise.reject(LibvirtError.of(ErrorCode.RESOURCE_BUSY, ErrorDomain.REMOTE, text));
    }
    const serial = this.#nextSerial;
    this.#nextSerial = (this.#nextSerial + 1) >>> 0;
    const usualMs = procedure.priority ? LIMITS.quickCallTimeoutMs : LIMITS.slowCallTimeoutMs;
    const timeoutMs = Math.min(options.timeoutMs ?? usualMs, LIMITS.longestTimeoutMs);
    return new Promise((resolve, reject) => {
      // Throws where the arguments cannot be sent; nothing is set up by then.
      const packet = packetOf(procedure, serial, args);
      const stopWaiting = (): void => {
        clearTimeout(timer);
        options.signal?.removeEventListener("abort", onAbort);
      };
      const giveUp = (error: LibvirtError): void => {
        stopWaiting();
        this.#pending.set(serial, { procedure, onLost: () => {}, onReply: (frame) => ifDone(frame, late) });
        reject(error);
      };
      const onAbort = (): void => giveUp(givenUp(procedure.api));
      const timer = setTimeout(() => giveUp(timedOut(procedure, timeoutMs)), timeoutMs);
      options.signal?.addEventListener("abort", onAbort);
      this.#pending.set(serial, {
        procedure,
        onReply: (frame) => {
          stopWaiting();
          try {
            resolve(understand(frame));
          } catch (error) {
            reject(LibvirtError.from(error));
          }
        },
        onLost: (error) => {
          stopWaiting();
          reject(error);
        },
      });
      this.#transport.write(packet);
    });
  }

  #addStream(reply: Frame): StreamPort {
    const port = new StreamPort(this, reply);
    this.#streams.set(reply.serial, port);
    return port;
  }

  #receive(chunk: Uint8Array): void {
    this.#heard = true;
    this.#unanswered = 0;
    try {
      for (const frame of this.#decoder.push(chunk)) {
        if (this.#closedBy !== null) return;
        this.#handle(frame);
      }
    } catch (error) {
      this.fail(connectionLost("The server sent what is not libvirt's protocol", error));
    }
  }

  #handle(frame: Frame): void {
    const keepalive = keepaliveKind(frame);
    if (keepalive === Keepalive.PING) this.#transport.write(encodeKeepalive(Keepalive.PONG));
    if (keepalive !== null || !isKnownProgram(frame.program)) return;
    switch (frame.type) {
      case MessageType.REPLY: {
        const call = this.#pending.get(frame.serial);
        if (call?.procedure.number !== frame.procedure || call.procedure.program !== frame.program) {
          throw new Error(`There is no call ${frame.serial} of procedure ${frame.procedure}`);
        }
        this.#pending.delete(frame.serial);
        call.onReply(frame);
        break;
      }
      case MessageType.STREAM:
      case MessageType.STREAM_HOLE:
        // Packets of a stream that was given up are on their way for a while.
        this.#streams.get(frame.serial)?.receive(frame);
        break;
      case MessageType.MESSAGE:
        if (messageByNumber(frame.procedure, frame.program) !== undefined) this.#onEvent(frame);
        break;
      default:
        throw new Error(`Packets of type ${frame.type} are not for clients`);
    }
  }

  #checkAlive(count: number): void {
    if (this.isPaused) {
      // Nothing is heard while nothing is read, the server's questions neither: it shall not take a slow reader for a dead one.
      this.#transport.write(encodeKeepalive(Keepalive.PONG));
      return;
    }
    if (this.#heard) {
      this.#heard = false;
      return;
    }
    if (this.#unanswered >= count) {
      this.fail(connectionLost("connection closed due to keepalive timeout"));
      return;
    }
    this.#unanswered++;
    this.#transport.write(encodeKeepalive(Keepalive.PING));
  }

  #wakeWriters(): void {
    const waiters = this.#drainWaiters;
    this.#drainWaiters = [];
    for (const wake of waiters) wake();
  }
}

/** Throws error 8 where the arguments are not what the procedure takes. */
function packetOf<Args, Result>(procedure: Procedure<Args, Result>, serial: number, args: Args): Uint8Array {
  try {
    return encodeCall(procedure, serial, args);
  } catch (error) {
    throw unsendable(procedure, args, error);
  }
}

/** The reply of a call that nobody waits for any more; its error is of no use. */
function ifDone(frame: Frame, late: (frame: Frame) => void): void {
  if (frame.status === MessageStatus.OK) late(frame);
}

function connectionLost(text: string, cause?: unknown): LibvirtError {
  return LibvirtError.of(ErrorCode.RPC, ErrorDomain.REMOTE, text, { cause });
}

function timedOut(procedure: AnyProcedure, timeoutMs: number): LibvirtError {
  const text = `${procedure.api} was not answered within ${timeoutMs} ms`;
  return LibvirtError.of(ErrorCode.OPERATION_TIMEOUT, ErrorDomain.REMOTE, text);
}
