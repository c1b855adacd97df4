import { createHistogram } from "node:perf_hooks";

/** How often the delay is measured: each time wakes the processor. */
const INTERVAL_MS = 10;
/** So long after the last sign that anybody waits, the processor is left asleep. */
const QUIET_MS = 1_000;
const NANOSECONDS_PER_MILLISECOND = 1e6;

/**
 * How late the event loop is. Every wait of every client contains this, so nothing may hold it for more than 50 ms;
 * what it really was is measured here while there is a client that waits or work under way, and exported. A daemon
 * that has nothing to do does nothing, and takes no time of its host for it.
 */
export class EventLoopDelay {
  readonly #histogram = createHistogram();
  readonly #isWorking: () => boolean;
  #timer: NodeJS.Timeout | null = null;
  #lastMs = 0;
  #neededMs = 0;

  /** @param isWorking whether something is under way, also when no call comes */
  constructor(isWorking: () => boolean) {
    this.#isWorking = isWorking;
  }

  /** To be called whenever something comes that somebody waits for: it is measured from now on. */
  needed(): void {
    this.#neededMs = performance.now();
    if (this.#timer !== null) return;
    this.#lastMs = this.#neededMs;
    this.#timer = setInterval(() => this.#measure(), INTERVAL_MS);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  get isMeasuring(): boolean {
    return this.#timer !== null;
  }

  /** Since the beginning, or the last `reset`. */
  get maxMs(): number {
    return this.#histogram.count === 0 ? 0 : this.#histogram.max / NANOSECONDS_PER_MILLISECOND;
  }

  percentileMs(percentile: number): number {
    return this.#histogram.count === 0 ? 0 : this.#histogram.percentile(percentile) / NANOSECONDS_PER_MILLISECOND;
  }

  reset(): void {
    this.#histogram.reset();
    this.#lastMs = performance.now();
  }

  #measure(): void {
    const now = performance.now();
    const lateMs = now - this.#lastMs - INTERVAL_MS;
    this.#lastMs = now;
    // A histogram has no zero.
    this.#histogram.record(Math.max(1, Math.round(lateMs * NANOSECONDS_PER_MILLISECOND)));
    if (now - this.#neededMs > QUIET_MS && !this.#isWorking()) this.stop();
  }
}
