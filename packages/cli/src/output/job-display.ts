import type { Job } from "@cistern/client";
import type { Context } from "../context.js";
import { formatJobState, progressOf } from "./job-text.js";
import { Progress } from "./progress.js";
import { printable } from "./text.js";

/** Where lines are kept (a log), progress alone is no reason for one more often than this. */
const PLAIN_INTERVAL_MS = 5_000;

/** Shows one job as it goes on: one line drawn over on a terminal, lines elsewhere, objects for JSON and YAML. */
export class JobDisplay {
  readonly #context: Context;
  readonly #line: Progress;
  #state: Job["state"] | null = null;
  #printedMs = 0;

  constructor(context: Context) {
    this.#context = context;
    this.#line = new Progress(context.surroundings.stdout);
  }

  show(job: Job): void {
    if (!this.#context.isText) this.#context.printRecord(job, () => "");
    else if (this.#context.surroundings.stdout.isTTY === true) this.#draw(job);
    else this.#print(job);
  }

  /** Leaves the line clean for what follows. */
  end(): void {
    this.#line.end();
  }

  #draw(job: Job): void {
    if (job.endedAt === null) {
      this.#line.show(progressOf(job));
      return;
    }
    this.#line.end();
    this.#context.print(`${printable(job.title)}: ${printable(formatJobState(job))}\n`);
  }

  #print(job: Job): void {
    const nowMs = performance.now();
    if (job.state === this.#state && nowMs - this.#printedMs < PLAIN_INTERVAL_MS) return;
    this.#state = job.state;
    this.#printedMs = nowMs;
    this.#context.print(`${new Date().toISOString()}  ${printable(job.title)}: ${printable(formatJobState(job))}\n`);
  }
}
