import { once } from "node:events";
import { connect, type Socket } from "node:net";
import {
  decodeReply,
  encodeCall,
  type Frame,
  FrameDecoder,
  MessageType,
  type Procedure,
  procedures,
} from "@cistern/protocol";

/** A call that takes longer than this ends the bench. */
const CALL_TIMEOUT_MS = 120_000;

/**
 * One connection for both daemons: the protocol and nothing else, so that a row shows the daemon's time and not a
 * client's. One call at a time or many at once; no events, no streams.
 */
export class BenchConnection implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder();
  readonly #waiting = new Map<number, (frame: Frame | Error) => void>();
  #serial = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("close", () => this.#failAll(new Error("the daemon closed the connection")));
    socket.on("error", (error) => this.#failAll(error));
  }

  static async open(socketPath: string): Promise<BenchConnection> {
    const socket = connect(socketPath);
    await once(socket, "connect");
    const connection = new BenchConnection(socket);
    await connection.call(procedures.authList, undefined);
    await connection.call(procedures.connectOpen, { name: "storage:///system", flags: 0 });
    return connection;
  }

  async call<Args, Result>(procedure: Procedure<Args, Result>, args: Args): Promise<Result> {
    this.#serial += 1;
    const serial = this.#serial;
    const answer = new Promise<Frame | Error>((resolve) => this.#waiting.set(serial, resolve));
    const deadline = setTimeout(
      () => this.#answer(serial, new Error(`${procedure.name} took longer than ${CALL_TIMEOUT_MS} ms`)),
      CALL_TIMEOUT_MS,
    );
    this.#socket.write(encodeCall(procedure, serial, args));
    const frame = await answer;
    clearTimeout(deadline);
    if (frame instanceof Error) throw frame;
    return decodeReply(procedure as Procedure<unknown, Result>, frame);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    if (!this.#socket.closed) await once(this.#socket, "close");
  }

  #receive(chunk: Uint8Array): void {
    for (const frame of this.#decoder.push(chunk)) {
      if (frame.type === MessageType.REPLY) this.#answer(frame.serial, frame);
    }
  }

  #answer(serial: number, frame: Frame | Error): void {
    this.#waiting.get(serial)?.(frame);
    this.#waiting.delete(serial);
  }

  #failAll(error: Error): void {
    for (const serial of [...this.#waiting.keys()]) this.#answer(serial, error);
  }
}
