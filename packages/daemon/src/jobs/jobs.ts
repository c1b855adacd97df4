import type { Job } from "./job.js";

/** What a person is told about running work. */
export interface JobFacts {
  readonly id: number;
  /** What is done to what: "wipe volume 'a.img' of pool 'default'". */
  readonly title: string;
  readonly startedAt: Date;
  readonly doneBytes: bigint;
  readonly totalBytes: bigint;
}

class RunningJob implements Job {
  readonly id: number;
  readonly title: string;
  readonly startedAt = new Date();
  readonly #controller = new AbortController();
  doneBytes = 0n;
  totalBytes = 0n;

  constructor(id: number, title: string) {
    this.id = id;
    this.title = title;
  }
  get signal(): AbortSignal {
    return this.#controller.signal;
  }
  progress(doneBytes: bigint, totalBytes: bigint): void {
    this.doneBytes = doneBytes;
    this.totalBytes = totalBytes;
  }
  cancel(reason: Error): void {
    this.#controller.abort(reason);
  }
}

/** The slow work that is under way. Ends with it: `cancelAll` is what a stopping daemon calls. */
export class Jobs {
  readonly #running = new Map<number, { job: RunningJob; done: Promise<unknown> }>();
  #nextId = 1;

  list(): JobFacts[] {
    return [...this.#running.values()].map(({ job }) => job);
  }

  async run<T>(title: string, work: (job: Job) => Promise<T>): Promise<T> {
    const job = new RunningJob(this.#nextId++, title);
    const running: { job: RunningJob; done: Promise<unknown> } = { job, done: Promise.resolve() };
    // Known before its first step: it may look at the list itself.
    this.#running.set(job.id, running);
    try {
      const done = work(job);
      running.done = done;
      return await done;
    } finally {
      this.#running.delete(job.id);
    }
  }

  /** Asks all work to stop and waits until it has undone what it made, at most `timeoutMs`. */
  async cancelAll(reason: Error, timeoutMs: number): Promise<void> {
    const running = [...this.#running.values()];
    for (const { job } of running) job.cancel(reason);
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([Promise.allSettled(running.map(({ done }) => done)), deadline]);
    clearTimeout(timer);
  }
}
