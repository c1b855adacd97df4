import type { Socket } from "node:net";
import { limits } from "../limits.js";

/** What goes out to one client. Packets of one turn of the event loop leave in one system call. */
export class Outbox {
  readonly #socket: Socket;
  readonly #overfull: () => void;
  #corked = false;
  /** Whoever waits until the socket takes more. */
  #waiters: (() => void)[] = [];

  /** `overfull`: the client leaves more unread than is kept for anybody. */
  constructor(socket: Socket, overfull: () => void) {
    this.#socket = socket;
    this.#overfull = overfull;
    socket.on("drain", () => this.#wake());
    socket.on("close", () => this.#wake());
  }

  /** More is on its way than a client that reads would leave: its calls can wait. */
  get isFull(): boolean {
    return this.#socket.writableLength >= limits.replyBacklogBytes;
  }

  send(bytes: Uint8Array): void {
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
    if (this.#socket.writableLength > limits.clientBacklogBytes) this.#overfull();
  }

  /** Resolves when the socket takes more, or is closed. */
  async drained(): Promise<void> {
    if (!this.#socket.writableNeedDrain || this.#socket.destroyed) return;
    await new Promise<void>((resolve) => {
      this.#waiters.push(resolve);
    });
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}
