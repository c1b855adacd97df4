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
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
    const onAbort = () => {
      end();
      reject(hostError("ECANCELED", `${what} was given up`, signal?.reason));
    };
    const timer = setTimeout(() => {
      end();
      reject(hostError("ETIMEDOUT", `${what} did not end within ${timeoutMs} ms`));
    }, timeoutMs);
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

export function throwIfAborted(what: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw hostError("ECANCELED", `${what} was given up`, signal.reason);
}
