/**
 * Asks a silent client for a sign of life, and gives it up when `count` questions in a row were not answered. Any
 * packet counts as a sign. Clients that never said they answer pings are not asked.
 */
export class Keepalive {
  readonly #intervalMs: number;
  readonly #count: number;
  readonly #ping: () => void;
  readonly #giveUp: () => void;
  #timer: NodeJS.Timeout | null = null;
  #unanswered = 0;
  #heard = false;

  /** An interval of 0 or less: never ask. */
  constructor(options: { intervalMs: number; count: number; ping: () => void; giveUp: () => void }) {
    this.#intervalMs = options.intervalMs;
    this.#count = options.count;
    this.#ping = options.ping;
    this.#giveUp = options.giveUp;
  }

  start(): void {
    if (this.#timer !== null || this.#intervalMs <= 0) return;
    this.#timer = setInterval(() => this.#tick(), this.#intervalMs);
    this.#timer.unref();
  }

  heard(): void {
    this.#heard = true;
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #tick(): void {
    if (this.#heard) {
      this.#heard = false;
      this.#unanswered = 0;
      return;
    }
    if (this.#unanswered >= this.#count) {
      this.stop();
      this.#giveUp();
      return;
    }
    this.#unanswered++;
    this.#ping();
  }
}
