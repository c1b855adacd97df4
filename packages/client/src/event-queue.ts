import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { LIMITS } from "./limits.js";

/**
 * Events that wait for whoever iterates over them. Leaving the loop (`break`, `return`, an error) unsubscribes by
 * `onReturn`, and so does the end of the events, whatever it is. When the connection ends the iteration throws, after what had arrived.
 */
export class EventQueue<Event> implements AsyncIterableIterator<Event> {
  readonly #onReturn: () => Promise<void>;
  #events: Event[] = [];
  #waiting: { resolve(result: IteratorResult<Event>): void; reject(error: Error): void }[] = [];
  #error: LibvirtError | null = null;
  #done = false;
  #unsubscribed: Promise<void> | null = null;

  constructor(onReturn: () => Promise<void>) {
    this.#onReturn = onReturn;
  }

  push(event: Event): void {
    if (this.#done || this.#error !== null) return;
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) waiter.resolve({ value: event, done: false });
    else if (this.#events.length < LIMITS.queuedEvents) this.#events.push(event);
    else
      this.fail(
        LibvirtError.of(ErrorCode.OVERFLOW, ErrorDomain.REMOTE, `${LIMITS.queuedEvents} events were not taken`),
      );
  }

  /** There are no more events: the iteration ends after those that wait. */
  finish(): void {
    if (this.#done || this.#error !== null) return;
    this.#done = true;
    for (const { resolve } of this.#waiting.splice(0)) resolve({ value: undefined, done: true });
    this.#unsubscribeLater();
  }

  /** The iteration throws after the events that wait. */
  fail(error: LibvirtError): void {
    if (this.#done || this.#error !== null) return;
    this.#error = error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    // A loop that an error ends does not say that it was left.
    this.#unsubscribeLater();
  }

  async next(): Promise<IteratorResult<Event>> {
    const event = this.#events.shift();
    if (event !== undefined) return { value: event, done: false };
    if (this.#done) return { value: undefined, done: true };
    if (this.#error !== null) throw this.#error;
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  async return(): Promise<IteratorResult<Event>> {
    this.#events = [];
    if (!this.#done) {
      this.#done = true;
      for (const { resolve } of this.#waiting.splice(0)) resolve({ value: undefined, done: true });
      await this.#unsubscribe();
    }
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #unsubscribe(): Promise<void> {
    this.#unsubscribed ??= this.#onReturn();
    return this.#unsubscribed;
  }

  /** Nobody waits for it: the server forgets what is over anyway when the connection ends. */
  #unsubscribeLater(): void {
    this.#unsubscribe().catch(() => {});
  }
}
