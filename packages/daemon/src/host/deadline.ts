import { hostError } from "./errors.js";
import type { CallOptions, HostError } from "./host.js";

/**
 * Waits for a call no longer than its deadline, nor after its caller has lost interest. A system call cannot be taken
 * back: it runs on in its thread, and what it still brings (an open file) goes to `late`, which puts it away.
 */
export async function withDeadline<T>(
  what: string,
  call: Promise<T>,
  defaultTimeoutMs: number,
  options: CallOptions | undefined,
  late?: (result: T) => void,
): Promise<T> {
  const { signal } = options ?? {};
  const timeoutMs = options?.timeoutMs ?? defaultTimeoutMs;
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  let waiting = true;
  const ended = new Promise<never>((_, reject) => {
    const giveUp = (reason: HostError) => {
      waiting = false;
      reject(reason);
    };
    timer = setTimeout(() => giveUp(hostError("ETIMEDOUT", `${what} did not end within ${timeoutMs} ms`)), timeoutMs);
    if (signal !== undefined) {
      onAbort = () => giveUp(hostError("ECANCELED", `${what} was given up`, signal.reason));
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
    }
  });
  call.then(
    (result) => {
      if (!waiting) late?.(result);
    },
    () => undefined,
  );
  try {
    return await Promise.race([call, ended]);
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
  }
}

export function throwIfAborted(what: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw hostError("ECANCELED", `${what} was given up`, signal.reason);
}
