import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";

/** How often the delay is measured: each time wakes the processor, also of a daemon that has nothing to do. */
const RESOLUTION_MS = 10;
const NANOSECONDS_PER_MILLISECOND = 1e6;

/**
 * How late the event loop is. Every wait of every client contains this, so nothing may hold it for more than 50 ms;
 * what it really was is measured here all the time, and exported.
 */
export class EventLoopDelay {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  start(): void {
    this.#histogram.enable();
  }
  stop(): void {
    this.#histogram.disable();
  }
  /** Since `start`, or the last `reset`. */
  get maxMs(): number {
    return this.#late(this.#histogram.max);
  }
  percentileMs(percentile: number): number {
    return this.#late(this.#histogram.percentile(percentile));
  }
  reset(): void {
    this.#histogram.reset();
  }

  /** The histogram has the time between two measurements, of which the resolution is no delay. */
  #late(nanoseconds: number): number {
    return Math.max(0, nanoseconds / NANOSECONDS_PER_MILLISECOND - RESOLUTION_MS);
  }
}
