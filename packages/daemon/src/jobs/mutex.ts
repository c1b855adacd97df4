/**
 * One holder at a time, first come first served. Holders always release: `run` does so even when the work throws. Who
 * waits longer than the deadline gives up with the error that `overdue` makes, and the others move on.
 */
export class Mutex {
  readonly #waitMs: number;
  readonly #overdue: () => Error;
  readonly #waiting: Waiter[] = [];
  #held = false;

  constructor(waitMs: number, overdue: () => Error) {
    this.#waitMs = waitMs;
    this.#overdue = overdue;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#held) await this.#turn();
    this.#held = true;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // The lock passes on without being free in between: nobody can jump the queue.
      if (next === undefined) this.#held = false;
      else next.begin();
    }
  }

  #turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(this.#overdue());
      }, this.#waitMs);
      timer.unref();
      const waiter: Waiter = {
        begin: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      this.#waiting.push(waiter);
    });
  }
}

interface Waiter {
  begin(): void;
}
