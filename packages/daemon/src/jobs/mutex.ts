/** One holder at a time, first come first served. Holders always release: `run` does so even when the work throws. */
export class Mutex {
  #tail: Promise<void> = Promise.resolve();
  #waiting = 0;

  /** How many wait or hold. */
  get load(): number {
    return this.#waiting;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#tail;
    let release: () => void = () => {};
    this.#tail = new Promise((resolve) => {
      release = resolve;
    });
    this.#waiting++;
    await before;
    try {
      return await work();
    } finally {
      this.#waiting--;
      release();
    }
  }
}
