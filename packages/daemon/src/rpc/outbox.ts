import type { Socket } from "node:net";
import { limits } from "../limits.js";

/**
 * What goes out to one client. The first packet of a turn of the event loop leaves at once, because mostly it is the only
 * one and somebody waits for it; the others of the turn leave in one system call.
 */
export class Outbox {
  readonly #socket: Socket;
  readonly #overfull: () => void;
  #corked = false;

  /** `overfull`: the client leaves more unread than is kept for anybody. */
  constructor(socket: Socket, overfull: () => void) {
    this.#socket = socket;
    this.#overfull = overfull;
  }

  /** More is on its way than a client that reads would leave: its calls can wait. */
  get isFull(): boolean {
    return this.#socket.writableLength >= limits.replyBacklogBytes;
  }

  /** `left`: the kernel has the bytes and all before, or nobody will. */
  send(bytes: Uint8Array, left?: () => void): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) {
      // Not at once: whoever sends on and on would never let anybody hear that the client is gone.
      if (left !== undefined && this.#socket.closed) setImmediate(left);
      else if (left !== undefined) this.#socket.once("close", left);
      return;
    }
    this.#socket.write(bytes, left);
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      setImmediate(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    if (this.#socket.writableLength > limits.clientBacklogBytes) this.#overfull();
  }
}
