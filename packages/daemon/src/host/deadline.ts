import type { CancelSignal } from "../cancel-signal.js";
import { hostError } from "./errors.js";
import type { CallOptions } from "./host.js";

/**
 * Waits for a call no longer than its deadline, nor after its caller has lost interest. A system call cannot be taken
 * back: it runs on in its thread, and what it still brings (an open file) goes to `late`, which puts it away. Each result
 * goes to the caller or to `late`, never to both.
 */
export function withDeadline<T>(
  what: string,
  call: Promise<T>,
  defaultTimeoutMs: number,
  options: CallOptions | undefined,
  late?: (result: T) => void,
): Promise<T> {
  const signal = options?.signal;
  const timeoutMs = options?.timeoutMs ?? defaultTimeoutMs;
  return new Promise((resolve, reject) => {
    let waiting = true;
    const end = () => {
      waiting = false;
      forget();
      signal?.removeEventListener("abort", onAbort);
    };
    const onAbort = () => {
      end();
      reject(hostError("ECANCELED", `${what} was given up`, signal?.reason));
    };
    const forget = deadlinesAfter(timeoutMs).add(() => {
      end();
      reject(hostError("ETIMEDOUT", `${what} did not end within ${timeoutMs} ms`));
    });
    call.then(
      (result) => {
        if (!waiting) return late?.(result);
        end();
        resolve(result);
      },
      (failure: unknown) => {
        if (!waiting) return;
        end();
        reject(failure);
      },
    );
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/**
 * Calls that have equally long. The one that came first is the first whose time is over, so one timer is enough, and it
 * stays when its call is back: nearly all calls are back long before, and a timer of each one's own costs more than many
 * of the calls. It keeps no process alive; who is at work on a call does.
 */
class Deadlines {
  readonly #timeoutMs: number;
  readonly #unused: () => void;
  /** In the order in which they came, between this one and itself. A map of functions would have to number them all. */
  readonly #ends: Waiting = new Waiting(() => {}, Number.POSITIVE_INFINITY);
  #isWatched = false;

  /** `unused`: nothing waits, and no timer runs. */
  constructor(timeoutMs: number, unused: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#unused = unused;
  }

  /** Calls `expire` when its time is over, unless it is forgotten before: that is what is given back. */
  add(expire: () => void): () => void {
    const waiting = new Waiting(expire, performance.now() + this.#timeoutMs);
    waiting.standBefore(this.#ends);
    this.#watch(this.#timeoutMs);
    return () => waiting.leave();
  }

  #watch(afterMs: number): void {
    if (this.#isWatched) return;
    this.#isWatched = true;
    setTimeout(() => this.#expire(), afterMs).unref();
  }

  #expire(): void {
    this.#isWatched = false;
    const now = performance.now();
    let first = this.#ends.next;
    while (first.dueMs <= now) {
      first.leave();
      first.expire();
      first = this.#ends.next;
    }
    if (first === this.#ends) this.#unused();
    else this.#watch(Math.ceil(first.dueMs - now));
  }
}

/** One of a ring. */
class Waiting {
  readonly expire: () => void;
  readonly dueMs: number;
  next: Waiting = this;
  #previous: Waiting = this;

  constructor(expire: () => void, dueMs: number) {
    this.expire = expire;
    this.dueMs = dueMs;
  }

  standBefore(other: Waiting): void {
    this.next = other;
    this.#previous = other.#previous;
    this.#previous.next = this;
    other.#previous = this;
  }

  /** A second time it changes nothing. */
  leave(): void {
    this.#previous.next = this.next;
    this.next.#previous = this.#previous;
    this.next = this;
    this.#previous = this;
  }
}

const deadlines = new Map<number, Deadlines>();

function deadlinesAfter(timeoutMs: number): Deadlines {
  let found = deadlines.get(timeoutMs);
  if (found === undefined) {
    found = new Deadlines(timeoutMs, () => deadlines.delete(timeoutMs));
    deadlines.set(timeoutMs, found);
  }
  return found;
}

export function throwIfAborted(what: string, signal: CancelSignal | undefined): void {
  if (signal?.aborted) throw hostError("ECANCELED", `${what} was given up`, signal.reason);
}
