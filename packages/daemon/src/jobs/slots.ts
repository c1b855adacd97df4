import type { CancelSignal } from "../cancel-signal.js";
/** How much heavy work may run at one time. */
export interface SlotLimits {
  readonly overall: number;
  readonly perPool: number;
}

interface Waiter {
  readonly pool: string;
  readonly begin: () => void;
}

/**
 * Turns for heavy work: first come, first served, except that whoever's pool has as much as it may waits without holding up
 * those of other pools.
 */
export class Slots {
  #limits: SlotLimits;
  #running = 0;
  readonly #byPool = new Map<string, number>();
  readonly #waiting: Waiter[] = [];

  constructor(limits: SlotLimits) {
    this.#limits = limits;
  }

  /** Takes effect for those who wait; nobody who runs is stopped. */
  set limits(limits: SlotLimits) {
    this.#limits = limits;
    this.#next();
  }

  /** Resolves when it is this one's turn, with how to give the turn back; rejects with the signal's reason. */
  async take(pool: string, signal: CancelSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#waiting.length > 0 || !this.#hasRoom(pool)) await this.#turn(pool, signal);
    else this.#count(pool, 1);
    let taken = true;
    return () => {
      if (!taken) return;
      taken = false;
      this.#count(pool, -1);
      this.#next();
    };
  }

  #turn(pool: string, signal: CancelSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        pool,
        begin: () => {
          signal.removeEventListener("abort", giveUp);
          resolve();
        },
      };
      signal.addEventListener("abort", giveUp, { once: true });
      this.#waiting.push(waiter);
      this.#next();
    });
  }

  #next(): void {
    for (let index = 0; index < this.#waiting.length && this.#running < this.#limits.overall; ) {
      const waiter = this.#waiting[index];
      if (waiter === undefined || !this.#hasRoom(waiter.pool)) {
        index++;
        continue;
      }
      this.#waiting.splice(index, 1);
      // Counted before it begins: nobody may take the place in between.
      this.#count(waiter.pool, 1);
      waiter.begin();
    }
  }

  #hasRoom(pool: string): boolean {
    return this.#running < this.#limits.overall && (this.#byPool.get(pool) ?? 0) < this.#limits.perPool;
  }

  #count(pool: string, change: 1 | -1): void {
    this.#running += change;
    const ofPool = (this.#byPool.get(pool) ?? 0) + change;
    if (ofPool === 0) this.#byPool.delete(pool);
    else this.#byPool.set(pool, ofPool);
  }
}
