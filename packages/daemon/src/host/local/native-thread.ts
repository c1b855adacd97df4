import { Worker } from "node:worker_threads";
import { hostError, hostErrorOfErrno } from "../errors.js";

/** What the thread can do; each call gives an errno, 0 for success. */
export type NativeCall =
  | { readonly call: "clone"; readonly target: number; readonly source: number }
  | { readonly call: "setNoCopyOnWrite"; readonly fd: number; readonly value: boolean }
  | { readonly call: "truncate"; readonly fd: number; readonly sizeBytes: bigint };

interface Waiting {
  readonly what: string;
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

/**
 * A thread for the few native calls that may wait for a disk and whose errno matters: made synchronously there, errno is
 * exact and the event loop goes on. They are rare, so one thread serves them in turn; it starts with the first call.
 */
export class NativeThread {
  #worker: Worker | null = null;
  #waiting: Waiting[] = [];

  perform(what: string, call: NativeCall): Promise<void> {
    const worker = this.#started();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ what, resolve, reject });
      worker.ref();
      worker.postMessage(call);
    });
  }

  /** Does not wait: a thread inside a system call ends when that does. */
  close(): void {
    void this.#worker?.terminate();
  }

  #started(): Worker {
    if (this.#worker !== null) return this.#worker;
    const worker = new Worker(new URL("./native-worker.js", import.meta.url), { execArgv: [] });
    worker.on("message", (errno: number) => {
      const first = this.#waiting.shift();
      if (this.#waiting.length === 0) worker.unref();
      if (first === undefined) return;
      if (errno === 0) first.resolve();
      else first.reject(hostErrorOfErrno(errno, first.what));
    });
    worker.on("error", (cause) => this.#ended(worker, cause));
    worker.on("exit", () => this.#ended(worker, undefined));
    this.#worker = worker;
    return worker;
  }

  #ended(worker: Worker, cause: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    for (const { what, reject } of this.#waiting.splice(0))
      reject(hostError("EIO", `${what}: its thread has ended`, cause));
  }
}
