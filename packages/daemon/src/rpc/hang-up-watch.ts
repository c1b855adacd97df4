import type { Socket } from "node:net";
import { hasHungUp } from "../access/peer.js";
import { limits } from "../limits.js";

/**
 * Notices that a client is gone while nothing is read from it: its end stands behind what was not read yet, and an upload of
 * little bandwidth may leave that unread for hours.
 */
export class HangUpWatch {
  readonly #socket: Socket;
  readonly #gone: () => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(socket: Socket, gone: () => void) {
    this.#socket = socket;
    this.#gone = gone;
    socket.once("close", () => this.#stop());
  }

  /** To be called when reading pauses. Pauses come by the thousand and are short: the watch ends by itself. */
  paused(): void {
    this.#timer ??= setInterval(() => this.#look(), limits.hangUpLookMs).unref();
  }

  #look(): void {
    if (!this.#socket.isPaused() || this.#socket.destroyed) this.#stop();
    else if (hasHungUp(this.#socket)) this.#gone();
  }

  #stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}
