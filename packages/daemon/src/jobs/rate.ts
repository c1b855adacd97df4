/** Measurements older than this say nothing about the present rate. */
const WINDOW_MS = 5_000;
/** Measurements closer together than this are one. */
const STEP_MS = 200;

interface Sample {
  readonly atMs: number;
  readonly doneBytes: bigint;
}

/** How fast something goes now, from how far it was in the last seconds. */
export class Rate {
  readonly #samples: Sample[] = [];

  add(doneBytes: bigint, atMs = performance.now()): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && atMs - last.atMs < STEP_MS) return;
    this.#samples.push({ atMs, doneBytes });
    while (this.#samples.length > 2 && atMs - (this.#samples[0]?.atMs ?? atMs) > WINDOW_MS) this.#samples.shift();
  }

  /** What was before says nothing about what comes. */
  restart(doneBytes: bigint, atMs = performance.now()): void {
    this.#samples.splice(0, this.#samples.length, { atMs, doneBytes });
  }

  /** 0 until there are two measurements. */
  bytesPerSecond(doneBytes: bigint, atMs = performance.now()): number {
    const first = this.#samples[0];
    if (first === undefined) return 0;
    const elapsedMs = atMs - first.atMs;
    return elapsedMs < STEP_MS ? 0 : (Number(doneBytes - first.doneBytes) / elapsedMs) * 1000;
  }
}
