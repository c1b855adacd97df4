import type { CancelSignal } from "../../cancel-signal.js";
import { hostError, hostErrorOfErrno } from "../errors.js";
import type { LinkReader } from "../links.js";
import type { NativeArguments, NativeCallName, NativeResult } from "./native-calls.js";
import type { NativeAnswer, NativeQuestion } from "./native-messages.js";
import { NativeThread } from "./native-thread.js";
import type { PathGuard } from "./path-guard.js";

/** A call was not made, because its guard's path leads elsewhere by now. */
export class PathMoved extends Error {
  override readonly name = "PathMoved";
}

interface Waiting {
  readonly question: NativeQuestion;
  readonly settle: (answer: Promise<NativeAnswer>) => void;
}

/**
 * Calls that share threads, in the order they come. A thread starts when a call finds none idle, up to the limit, and
 * stays; whichever is free first takes the call.
 */
export class NativeLane {
  readonly #limit: number;
  readonly #all = new Set<NativeThread>();
  readonly #idle: NativeThread[] = [];
  readonly #queue: Waiting[] = [];
  #closed = false;

  constructor(threads: number) {
    this.#limit = threads;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** `what`: the message of a failure. Where the `guard` does not hold, nothing is done: `PathMoved`. A call that has not begun when `signal` says so is not made: ECANCELED. */
  async perform<Name extends NativeCallName>(
    name: Name,
    args: NativeArguments<Name>,
    what: string,
    signal?: CancelSignal,
    guard: PathGuard | null = null,
  ): Promise<NativeResult<Name>> {
    // One name with its arguments; the compiler does not see which.
    const answer = await this.#answerTo([name, args, guard] as unknown as NativeQuestion, what, signal);
    if ("moved" in answer) throw new PathMoved();
    if ("errno" in answer) throw hostErrorOfErrno(answer.errno, what, answer.step);
    if ("message" in answer) throw hostError("EIO", `${what}: ${answer.message}`);
    return answer.value as NativeResult<Name>;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#all].map((thread) => thread.close()));
  }

  #answerTo(question: NativeQuestion, what: string, signal: CancelSignal | undefined): Promise<NativeAnswer> {
    if (this.#closed) throw hostError("ECANCELED", `${what}: the daemon ends`);
    if (signal?.aborted) throw hostError("ECANCELED", `${what}: it was given up`, signal.reason);
    const idle = this.#idle.pop();
    if (idle !== undefined) return this.#ask(idle, question);
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#queue.splice(this.#queue.indexOf(waiting), 1);
        reject(hostError("ECANCELED", `${what}: it was given up`, signal?.reason));
      };
      const waiting: Waiting = {
        question,
        settle: (answer) => {
          signal?.removeEventListener("abort", onAbort);
          answer.then(resolve, reject);
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#queue.push(waiting);
      if (this.#all.size < this.#limit) this.#start();
    });
  }

  #start(): void {
    const thread = new NativeThread(() => {
      this.#all.delete(thread);
      const index = this.#idle.indexOf(thread);
      if (index >= 0) this.#idle.splice(index, 1);
      if (this.#all.size > 0) return;
      // Nobody is left to serve them.
      for (const { settle } of this.#queue.splice(0))
        settle(Promise.reject(hostError("EIO", "The threads for native calls have ended")));
    });
    this.#all.add(thread);
    this.#next(thread);
  }

  async #ask(thread: NativeThread, question: NativeQuestion): Promise<NativeAnswer> {
    try {
      return await thread.ask(question);
    } finally {
      if (this.#all.has(thread)) this.#next(thread);
    }
  }

  #next(thread: NativeThread): void {
    const waiting = this.#queue.shift();
    if (waiting === undefined) this.#idle.push(thread);
    else waiting.settle(this.#ask(thread, waiting.question));
  }
}

/** For the entries on file systems that do not hang. */
export function firstLinkBy({ quick }: NativeLanes): LinkReader {
  return (entries) => quick.perform("firstLink", entries, `"${entries.path}" cannot be looked at`);
}

/** Short calls, and those that grow with the data: these never keep the others waiting. */
export interface NativeLanes {
  readonly quick: NativeLane;
  readonly bulk: NativeLane;
}
