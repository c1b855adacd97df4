import type { Job } from "@cistern/client";
import { LibvirtError } from "@cistern/protocol";
import type { Context } from "../context.js";
import { UsageError } from "../exit-status.js";
import { attempt } from "../failure.js";
import { JobDisplay } from "../output/job-display.js";
import { formatJobState, formatLeft, formatRate, formatRequester } from "../output/job-text.js";
import { formatDone } from "../output/progress.js";
import { formatSize, parseSize } from "../output/size.js";
import { type Column, formatFacts, formatTable } from "../output/table.js";
import { printable } from "../output/text.js";
import { shorten } from "../output/width.js";
import { command } from "./command.js";
import { count, flag, optionalCount, refuseTooLarge, text } from "./parameters.js";

const columns: readonly Column<Job>[] = [
  { title: "Id", cell: ({ id }) => String(id) },
  { title: "State", cell: ({ state }) => state },
  { title: "Kind", cell: ({ kind }) => kind },
  { title: "Pool", cell: ({ pool }) => pool },
  { title: "Volume", cell: ({ volume }) => volume ?? "-" },
  { title: "Done", cell: ({ doneBytes, totalBytes }) => formatDone(doneBytes, totalBytes) ?? "-" },
  { title: "Rate", cell: (job) => formatRate(job) ?? "-" },
  { title: "Left", cell: (job) => formatLeft(job) ?? "-" },
];
/** Of an error the list shows no more; job-info shows all of it. */
const ERROR_COLUMNS = 60;
const endedColumns: readonly Column<Job>[] = [
  { title: "Ended", cell: ({ endedAt }) => (endedAt === null ? "-" : time(endedAt)) },
  { title: "Error", cell: ({ error }) => (error === null ? "-" : shorten(firstLine(error.message), ERROR_COLUMNS)) },
];

const jobParameter = count("its number in the list", { completes: "jobs" });

export const jobs = command({
  name: "jobs",
  summary: "list the slow work that is under way, whoever began it (only cisternd has jobs)",
  parameters: { all: flag("also what has ended within the last hour") },
  async run(context, { all }) {
    await context.withConnection(async (connection) => {
      const jobs = await connection.listJobs({ ended: all }, context.call);
      context.printResult(jobs, () => formatJobs(jobs, { all, head: !context.isQuiet }));
    });
  },
});

export const jobInfo = command({
  name: "job-info",
  summary: "show a job's facts: who asked for it, how far it is, what became of it",
  parameters: { job: jobParameter },
  async run(context, { job: id }) {
    await context.withConnection(async (connection) => {
      const job = await connection.lookupJob(id, context.call);
      context.printResult(job, () => formatFacts(factsOf(job)));
    });
  },
});

export const jobWatch = command({
  name: "job-watch",
  summary: "show how work goes on: one job until it has ended, or all until interrupted",
  parameters: { job: optionalCount("its number in the list", { completes: "jobs" }) },
  run: (context, { job }) => (job === null ? watchAll(context) : watch(context, job)),
});

export const jobCancel = command({
  name: "job-cancel",
  summary: "stop a job; what it made is removed again",
  parameters: { job: jobParameter, wait: flag("until it has ended") },
  run: (context, { job, wait }) => cancel(context, job, wait),
});

export const jobLimit = command({
  name: "job-limit",
  summary: "limit how much a job moves per second",
  parameters: { job: jobParameter, rate: text('bytes per second, such as 50M, or "none"', { completes: ["none"] }) },
  run: (context, { job, rate }) => limit(context, job, readRate(rate)),
});

/** `all`: ended ones are among them. */
export function formatJobs(
  jobs: readonly Job[],
  { all, head }: { readonly all: boolean; readonly head: boolean },
): string {
  return formatTable(all ? [...columns, ...endedColumns] : columns, jobs, { head });
}

function factsOf(job: Job): Readonly<Record<string, string | null>> {
  const { bandwidthBytesPerSecond: limited } = job;
  return {
    Id: String(job.id),
    Job: job.title,
    State: job.state,
    "Asked by": formatRequester(job),
    Created: time(job.createdAt),
    Started: job.startedAt === null ? null : time(job.startedAt),
    Ended: job.endedAt === null ? null : time(job.endedAt),
    Done: formatDone(job.doneBytes, job.totalBytes),
    Rate: formatRate(job),
    Left: formatLeft(job),
    Limit: limited === null ? null : `${formatSize(limited)}/s`,
    Way: job.way,
    Remarks: job.remarks.length === 0 ? null : job.remarks.join(" "),
    Error: job.error?.message.trimEnd() ?? null,
  };
}

async function watch(context: Context, id: number): Promise<void> {
  await context.withConnection(async (connection) => {
    const display = new JobDisplay(context);
    const jobs = await connection.watchJobs(id, context.call);
    const job = await lastOf(jobs, context, id, (current) => display.show(current)).finally(() => display.end());
    refuseFailure(job);
  });
}

/** The beginning and the end of all that happens; as JSON and YAML also the progress. */
async function watchAll(context: Context): Promise<void> {
  const states = new Map<number, Job["state"]>();
  await context.withConnection(async (connection) => {
    const jobs = await connection.watchJobs(null, context.call);
    // Ending on request is what this is for, so it is no failure.
    endWith(context, jobs);
    for await (const job of jobs) {
      if (!context.isText) context.printRecord(job, () => "");
      else if (states.get(job.id) !== job.state) {
        const text = `${printable(job.title)}: ${printable(formatJobState(job))}`;
        context.print(`${new Date().toISOString()}  ${job.id}  ${text}\n`);
      }
      if (job.endedAt === null) states.set(job.id, job.state);
      else states.delete(job.id);
    }
  });
}

async function cancel(context: Context, id: number, wait: boolean): Promise<void> {
  const task = `Failed to cancel job ${id}`;
  await context.withConnection(async (connection) => {
    if (!wait) {
      await attempt(task, () => connection.cancelJob(id, context.call));
      context.printDone(`Job ${id} is asked to stop`, { job: id, cancelling: true });
      return;
    }
    const jobs = await attempt(task, () => connection.watchJobs(id, context.call));
    await attempt(task, () => connection.cancelJob(id, context.call));
    const job = await lastOf(jobs, context, id);
    if (job.state === "done") throw new Error(`job ${id} was done before it could be cancelled`);
    if (job.state !== "cancelled") refuseFailure(job);
    context.printDone(`Job ${id} cancelled`, { job: id, cancelled: true });
  });
}

async function limit(context: Context, id: number, rate: bigint): Promise<void> {
  await context.withConnection(async (connection) => {
    const limited = rate === 0n ? null : rate;
    await attempt(`Failed to limit job ${id}`, () => connection.setJobBandwidth(id, limited, context.call));
    const text = rate === 0n ? "no longer limited" : `limited to ${formatSize(rate)}/s`;
    context.printDone(`Job ${id} ${text}`, { job: id, bandwidthBytesPerSecond: limited });
  });
}

/** Waits for a job's end and gives how it ended; `seen` is told of each change. Throws where the user wants to stop. */
async function lastOf(
  jobs: AsyncIterableIterator<Job>,
  context: Context,
  id: number,
  seen: (job: Job) => void = () => {},
): Promise<Job> {
  endWith(context, jobs);
  for await (const job of jobs) {
    seen(job);
    if (job.endedAt !== null) return job;
  }
  throw new Error(`job ${id} goes on; "cistern job-cancel ${id}" stops it`);
}

function endWith({ surroundings: { signal } }: Context, jobs: AsyncIterableIterator<Job>): void {
  const leave = (): void => void jobs.return?.().catch(() => {});
  if (signal.aborted) leave();
  signal.addEventListener("abort", leave, { once: true });
}

/** What did not succeed ends the command with the job's own error. */
function refuseFailure({ id, state, error }: Job): void {
  if (state === "done") return;
  const what = state === "cancelled" ? `job ${id} was cancelled` : `job ${id} ${state}`;
  if (error === null) throw new Error(what);
  throw new LibvirtError(error.code, error.domain, `${what}: ${error.message}`);
}

/** Bytes per second; 0: no limit. */
function readRate(text: string): bigint {
  if (text === "none") return 0n;
  const bytes = parseSize(text.replace(/\/s$/, ""));
  if (bytes === null) throw new UsageError(`"${text}" is neither a rate such as 50M or 50MB/s nor "none"`);
  return refuseTooLarge(text, bytes);
}

function firstLine(text: string): string {
  return printable(text.trim().split("\n", 1)[0] ?? "");
}

/** Seconds are enough. */
function time(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}
