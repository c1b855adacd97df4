import type { Job } from "@cistern/client";
import { LibvirtError } from "@cistern/protocol";
import type { Command } from "commander";
import type { Context } from "../context.js";
import { UsageError } from "../exit-status.js";
import { JobDisplay } from "../output/job-display.js";
import { formatDone, formatJobState, formatLeft, formatRate, formatRequester } from "../output/job-text.js";
import { formatJson } from "../output/json.js";
import { formatSize, parseSize } from "../output/size.js";
import { type Column, formatFacts, formatTable } from "../output/table.js";
import { printable } from "../output/text.js";
import { countArgument } from "./arguments.js";

type ContextOf = (command: Command) => Context;

const columns: readonly Column<Job>[] = [
  { title: "ID", align: "right", cell: ({ id }) => String(id) },
  { title: "STATE", cell: ({ state }) => state },
  { title: "KIND", cell: ({ kind }) => kind },
  { title: "POOL", cell: ({ pool }) => pool },
  { title: "VOLUME", cell: ({ volume }) => volume ?? "-" },
  { title: "DONE", cell: (job) => formatDone(job) ?? "-" },
  { title: "RATE", align: "right", cell: (job) => formatRate(job) ?? "-" },
  { title: "LEFT", align: "right", cell: (job) => formatLeft(job) ?? "-" },
];
const endedColumn: Column<Job> = { title: "ENDED", cell: ({ endedAt }) => (endedAt === null ? "-" : time(endedAt)) };

export function addJobCommands(program: Command, contextOf: ContextOf): void {
  const job = program
    .command("job")
    .description("Show, limit and stop slow work, whoever began it (only cisternd has jobs)");

  job
    .command("list")
    .description("List the work that is under way")
    .option("--all", "also what has ended within the last hour")
    .action((options: { all?: boolean }, command: Command) => list(contextOf(command), options));

  job
    .command("show")
    .argument("<id>", "its number in the list", countArgument)
    .description("Show a job's facts: who asked for it, how far it is, what became of it")
    .action((id: number, _options: unknown, command: Command) => show(contextOf(command), id));

  job
    .command("watch")
    .argument(
      "[id]",
      "one job, until it has ended; without it: each beginning and end, until interrupted",
      countArgument,
    )
    .description("Show how work goes on (--json: one object per line). Exit status 1 when the job did not succeed")
    .action((id: number | undefined, _options: unknown, command: Command) =>
      id === undefined ? watchAll(contextOf(command)) : watch(contextOf(command), id),
    );

  job
    .command("cancel")
    .argument("<id>", "its number in the list", countArgument)
    .description("Stop a job; what it made is removed again")
    .option("--wait", "until it has ended")
    .action((id: number, options: { wait?: boolean }, command: Command) => cancel(contextOf(command), id, options));

  job
    .command("limit")
    .argument("<id>", "its number in the list", countArgument)
    .argument("<rate>", 'bytes per second, such as 50M, or "none"', rateArgument)
    .description("Limit how much a job moves per second")
    .action((id: number, rate: bigint, _options: unknown, command: Command) => limit(contextOf(command), id, rate));
}

async function list(context: Context, options: { all?: boolean }): Promise<void> {
  await context.withConnection(async (connection) => {
    const jobs = await connection.listJobs({ ended: options.all }, context.call);
    context.printResult(jobs, () => formatTable(options.all === true ? [...columns, endedColumn] : columns, jobs));
  });
}

async function show(context: Context, id: number): Promise<void> {
  await context.withConnection(async (connection) => {
    const job = await connection.lookupJob(id, context.call);
    context.printResult(job, () => formatFacts(factsOf(job)));
  });
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
    Done: formatDone(job),
    Rate: formatRate(job),
    Left: formatLeft(job),
    Limit: limited === null ? null : `${formatSize(limited)}/s`,
    Way: job.way,
    Remarks: job.remarks.length === 0 ? null : job.remarks.join(" "),
    Error: job.error?.message ?? null,
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

/** The beginning and the end of all that happens; with --json also the progress. */
async function watchAll(context: Context): Promise<void> {
  const states = new Map<number, Job["state"]>();
  await context.withConnection(async (connection) => {
    const jobs = await connection.watchJobs(null, context.call);
    // Ending on request is what this is for, so it is no failure.
    endWith(context, jobs);
    for await (const job of jobs) {
      if (context.options.json === true) context.print(`${formatJson(job, 0)}\n`);
      else if (states.get(job.id) !== job.state) {
        const text = `${printable(job.title)}: ${printable(formatJobState(job))}`;
        context.print(`${new Date().toISOString()}  ${job.id}  ${text}\n`);
      }
      if (job.endedAt === null) states.set(job.id, job.state);
      else states.delete(job.id);
    }
  });
}

async function cancel(context: Context, id: number, { wait }: { wait?: boolean }): Promise<void> {
  await context.withConnection(async (connection) => {
    if (wait !== true) {
      await connection.cancelJob(id, context.call);
      context.printDone(`Job ${id} is asked to stop`, { job: id, cancelling: true });
      return;
    }
    const jobs = await connection.watchJobs(id, context.call);
    await connection.cancelJob(id, context.call);
    const job = await lastOf(jobs, context, id);
    if (job.state === "done") throw new Error(`job ${id} was done before it could be cancelled`);
    if (job.state !== "cancelled") refuseFailure(job);
    context.printDone(`Job ${id} cancelled`, { job: id, cancelled: true });
  });
}

async function limit(context: Context, id: number, rate: bigint): Promise<void> {
  await context.withConnection(async (connection) => {
    await connection.setJobBandwidth(id, rate === 0n ? null : rate, context.call);
    const text = rate === 0n ? "no longer limited" : `limited to ${formatSize(rate)}/s`;
    context.printDone(`Job ${id} ${text}`, { job: id, bandwidthBytesPerSecond: rate === 0n ? null : rate });
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
  throw new Error(`job ${id} goes on; "cistern job cancel ${id}" stops it`);
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
function rateArgument(text: string): bigint {
  if (text === "none") return 0n;
  const bytes = parseSize(text.replace(/\/s$/, ""));
  if (bytes === null) throw new UsageError(`"${text}" is neither a rate such as 50M or 50MB/s nor "none"`);
  return bytes;
}

/** Seconds are enough. */
function time(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}
