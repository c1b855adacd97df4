import type { Duplex } from "node:stream";
import {
  type AnyProcedure,
  auth,
  connect,
  decodeArguments,
  encodeError,
  encodeFrame,
  encodeReply,
  type Frame,
  FrameDecoder,
  LibvirtError,
  MessageType,
  type Procedure,
  resolveCall,
} from "@cistern/protocol";

/** Answers a call; null: it sends (or does not send) the reply itself. */
type Answer = (args: unknown, frame: Frame) => unknown;

/**
 * The server's end of a connection, speaking the real protocol with answers that a test sets. It does what a well-behaved
 * daemon seldom does: answers late, in another order, not at all, or wrongly.
 */
export class ScriptedServer {
  readonly #transport: Duplex;
  readonly #decoder = new FrameDecoder();
  readonly #answers = new Map<AnyProcedure, Answer>();
  #waiters: { matches: (frame: Frame) => boolean; resolve: (frame: Frame) => void }[] = [];
  #isSilent = false;
  /** Every packet that came, in order. */
  readonly received: Frame[] = [];

  constructor(transport: Duplex) {
    this.#transport = transport;
    transport.on("data", (chunk: Uint8Array) => {
      for (const frame of this.#decoder.push(chunk)) this.#handle(frame);
    });
    transport.on("error", () => {});
    this.on(auth.authList, () => ({ types: [0] }));
    this.on(connect.connectSupportsFeature, () => ({ supported: 1 }));
    this.on(connect.connectOpen, () => undefined);
    this.on(connect.connectClose, () => undefined);
  }

  on<Args, Result>(procedure: Procedure<Args, Result>, answer: (args: Args, frame: Frame) => Result | null): void {
    this.#answers.set(procedure as AnyProcedure, answer as Answer);
  }

  send(...packets: readonly Uint8Array[]): void {
    this.#transport.write(Buffer.concat(packets));
  }

  reply<Result>(call: Frame, procedure: Procedure<unknown, Result>, result: Result): void {
    this.send(encodeReply(call, procedure, result));
  }

  /** A packet of the stream that `call` opened. */
  sendStream(
    call: Frame,
    status: number,
    payload: Uint8Array = new Uint8Array(),
    type: number = MessageType.STREAM,
  ): void {
    this.send(encodeFrame({ ...call, type, status, payload }));
  }

  /** From now on it answers nothing but the goodbye. */
  silence(): void {
    this.#isSilent = true;
  }

  /** The names of the procedures that were called, in order. */
  get calls(): string[] {
    return this.received.filter(({ type }) => type === MessageType.CALL).map((frame) => resolveCall(frame).name);
  }

  /** The first packet, already here or still to come, that matches. Rejects after two seconds. */
  async packet(matches: (frame: Frame) => boolean): Promise<Frame> {
    const found = this.received.find(matches);
    if (found !== undefined) return found;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("The packet did not come within 2 s")), 2000);
      this.#waiters.push({
        matches,
        resolve: (frame) => {
          clearTimeout(timer);
          resolve(frame);
        },
      });
    });
  }

  end(): void {
    this.#transport.end();
  }

  #handle(frame: Frame): void {
    this.received.push({ ...frame, payload: frame.payload.slice() });
    if (frame.type === MessageType.CALL) this.#answer(frame);
    for (const waiter of this.#waiters.filter(({ matches }) => matches(frame))) waiter.resolve(frame);
    this.#waiters = this.#waiters.filter(({ matches }) => !matches(frame));
  }

  #answer(frame: Frame): void {
    try {
      const procedure = resolveCall(frame);
      if (this.#isSilent && procedure !== connect.connectClose) return;
      const answer = this.#answers.get(procedure);
      if (answer === undefined) throw LibvirtError.unsupported(procedure.errorDomain, procedure.api);
      const result = answer(decodeArguments(procedure, frame), frame);
      if (result !== null) this.send(encodeReply(frame, procedure, result));
    } catch (error) {
      this.send(encodeError(frame, LibvirtError.from(error)));
    }
  }
}
