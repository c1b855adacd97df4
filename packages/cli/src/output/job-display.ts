import type { Job } from "@cistern/client";
import type { Context } from "../context.js";
import { formatJobState } from "./job-text.js";
import { formatJson } from "./json.js";
import { printable } from "./text.js";

const CLEAR_LINE = "\r\u001b[K";
/** Terminals that do not say how wide they are. */
const USUAL_COLUMNS = 80;
/** Where lines are kept (a log), progress alone is no reason for one more often than this. */
const PLAIN_INTERVAL_MS = 5_000;

/** Shows one job as it goes on: one line drawn over on a terminal, lines elsewhere, objects for --json. */
export class JobDisplay {
  readonly #context: Context;
  readonly #isTerminal: boolean;
  #state: Job["state"] | null = null;
  #printedMs = 0;

  constructor(context: Context) {
    this.#context = context;
    this.#isTerminal = context.surroundings.stdout.isTTY === true;
  }

  show(job: Job): void {
    if (this.#context.options.json === true) this.#context.print(`${formatJson(job, 0)}\n`);
    else if (this.#isTerminal) this.#draw(job);
    else this.#print(job);
  }

  /** Leaves the line clean for what follows. */
  end(): void {
    if (this.#isTerminal && this.#context.options.json !== true) this.#context.print(CLEAR_LINE);
  }

  #draw(job: Job): void {
    const state = printable(formatJobState(job));
    const title = printable(job.title);
    const columns = this.#context.surroundings.stdout.columns ?? USUAL_COLUMNS;
    this.#context.print(CLEAR_LINE + (job.endedAt === null ? fitting(title, state, columns) : `${title}: ${state}\n`));
  }

  #print(job: Job): void {
    const nowMs = performance.now();
    if (job.state === this.#state && nowMs - this.#printedMs < PLAIN_INTERVAL_MS) return;
    this.#state = job.state;
    this.#printedMs = nowMs;
    this.#context.print(`${new Date().toISOString()}  ${printable(job.title)}: ${printable(formatJobState(job))}\n`);
  }
}

/** A line that wraps could not be drawn over: the name gives way, because everybody watches the numbers. */
function fitting(title: string, state: string, columns: number): string {
  const room = columns - state.length - 3;
  const letters = [...title];
  const shown = letters.length <= room ? title : `${letters.slice(0, Math.max(0, room - 1)).join("")}…`;
  return [...`${shown}: ${state}`].slice(0, columns - 1).join("");
}
