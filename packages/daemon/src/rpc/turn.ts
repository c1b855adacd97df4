import { limits } from "../limits.js";

/**
 * How long the event loop has been taking packets without doing anything else. A thousand calls that arrive together
 * are worked off over several turns, so that timers, storage and other clients get theirs in between.
 */
export class Turn {
  readonly #begins: () => void;
  #startedAt: number | null = null;

  /** @param begins called at the first packet of each turn */
  constructor(begins: () => void) {
    this.#begins = begins;
  }

  /** To be asked before each packet. */
  get isOver(): boolean {
    const now = performance.now();
    if (this.#startedAt === null) {
      this.#startedAt = now;
      this.#begins();
      setImmediate(() => {
        this.#startedAt = null;
      });
      return false;
    }
    return now - this.#startedAt > limits.turnMs;
  }
}
