import { type CancelSignal, pause } from "../cancel-signal.js";

/** Nobody sleeps longer than this at once, so that a limit that is raised meanwhile is noticed. */
const LONGEST_SLEEP_MS = 250;
/** What may be caught up after a pause: without it, a slow disk would make the rate lower than the limit. */
const BURST_MS = 500;

/** Keeps work at or below a rate: each step waits until the steps before it are paid for. */
export class Pace {
  #bytesPerSecond: bigint | null;
  /** When all that was moved so far is paid for. */
  #paidAtMs = 0;
  #isOver = false;

  constructor(bytesPerSecond: bigint | null) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** null: no limit. */
  get bytesPerSecond(): bigint | null {
    return this.#bytesPerSecond;
  }
  /** Forgives what is not paid for: at the old rate that might take for ever. */
  set bytesPerSecond(bytesPerSecond: bigint | null) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#paidAtMs = 0;
  }

  /** Nobody waits any more, whatever is not paid for. */
  end(): void {
    this.#isOver = true;
  }

  /** Rejects with the signal's reason. */
  async wait(bytes: bigint, signal: CancelSignal): Promise<void> {
    if (this.bytesPerSecond === null || this.#isOver) return;
    this.#paidAtMs = Math.max(this.#paidAtMs, performance.now() - BURST_MS);
    this.#paidAtMs += (Number(bytes) / Number(this.bytesPerSecond)) * 1000;
    for (;;) {
      const missingMs = this.#paidAtMs - performance.now();
      if (missingMs <= 0 || this.bytesPerSecond === null || this.#isOver) return;
      await pause(Math.min(missingMs, LONGEST_SLEEP_MS), signal);
      signal.throwIfAborted();
    }
  }
}
