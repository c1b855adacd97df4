/**
 * Tells work that it is to stop: an `AbortSignal`, or a `JobSignal`, of which a new one costs next to nothing (Node 20 takes
 * longer for an AbortSignal than for all the rest of a short job).
 */
export interface CancelSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: "abort", listener: () => void, options?: { readonly once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** One that is given by whoever has it. */
export class JobSignal implements CancelSignal {
  #listeners: Set<() => void> | null = null;
  #reason: unknown = undefined;
  #aborted = false;

  get aborted(): boolean {
    return this.#aborted;
  }
  get reason(): unknown {
    return this.#reason;
  }

  throwIfAborted(): void {
    if (this.#aborted) throw this.#reason;
  }

  /** Each listener is called once, as the signal is given once. */
  addEventListener(_type: "abort", listener: () => void): void {
    if (this.#aborted) return;
    this.#listeners ??= new Set();
    this.#listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners?.delete(listener);
  }

  /** The first time only. A listener must not throw. */
  abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    const listeners = this.#listeners;
    this.#listeners = null;
    for (const listener of listeners ?? []) listener();
  }
}

/** Given when the first of these is, with its reason. It listens to them until it is disposed of. */
export function anyOf(...signals: readonly CancelSignal[]): Disposable & { readonly signal: CancelSignal } {
  const signal = new JobSignal();
  const ends = signals.map((each) => {
    const abort = (): void => signal.abort(each.reason);
    if (each.aborted) abort();
    else each.addEventListener("abort", abort, { once: true });
    return () => each.removeEventListener("abort", abort);
  });
  return {
    signal,
    [Symbol.dispose]() {
      for (const end of ends) end();
    },
  };
}

/** Until the time is over, or the signal is given. `ref: false`: it keeps no process alive. */
export function pause(
  ms: number,
  signal: CancelSignal,
  { ref = true }: { readonly ref?: boolean } = {},
): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    if (!ref) timer.unref();
    signal.addEventListener("abort", end, { once: true });
  });
}
