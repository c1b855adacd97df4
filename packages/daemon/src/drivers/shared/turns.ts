import { setImmediate as nextTurn } from "node:timers/promises";

/** Work that goes through many volumes holds the event loop no longer than this at a time. */
const TURN_MS = 5;

/** Lets others have the event loop: `if (turns.isOver) await turns.next();` between two pieces of work. */
export class Turns {
  #start = performance.now();

  get isOver(): boolean {
    return performance.now() - this.#start >= TURN_MS;
  }

  async next(): Promise<void> {
    await nextTurn();
    this.#start = performance.now();
  }
}
