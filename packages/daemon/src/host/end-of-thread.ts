import type { Worker } from "node:worker_threads";
import { hostLimits } from "../limits.js";

/**
 * Waits until a thread that was told to end has ended; not for long: one inside a system call ends when that does. Threads that
 * call native code are never terminated: koffi aborts the whole process when it wants to throw in a thread that is.
 */
export function endOfThread(worker: Worker): Promise<void> {
  worker.unref();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, hostLimits.threadEndMs);
    const ended = () => {
      clearTimeout(timer);
      resolve();
    };
    // It may have ended before.
    if (worker.threadId === -1) ended();
    else worker.once("exit", ended);
  });
}
