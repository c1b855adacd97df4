import type { CallOptions, Connection, Job } from "@cistern/client";
import { ErrorCode, LibvirtError } from "@cistern/protocol";
import type { Context } from "./context.js";
import { Failure, type Subject } from "./failure.js";
import { progressOf } from "./output/job-text.js";
import { commandOn } from "./output/names.js";
import { Progress } from "./output/progress.js";
import { ifCistern } from "./own-program.js";

/** What a call is about, by which its job is found. */
interface LongSubject extends Subject {
  /** What cancelling leaves behind, where it is not the same for every job of its kind. */
  readonly left?: string | undefined;
}

/**
 * Makes a call that may take long. Where the server is a Cistern, the call's job is shown as it goes on, and cancelled when
 * the user wants to stop: the failure then says what became of it. Any other server is left alone with what it began.
 */
export async function withProgress<Result>(
  context: Context,
  connection: Connection,
  subject: LongSubject,
  call: (options: CallOptions) => Promise<Result>,
): Promise<Result> {
  const jobs = await ifCistern(() => connection.watchJobs(null, context.call));
  if (jobs === null) return leaveWhenStopped(context, () => call(context.call));
  const before = await connection.listJobs({}, context.call);
  const known = new Set(before.map(({ id }) => id));
  const follower = new JobFollower(context, connection, (job) => !known.has(job.id) && isAbout(job, subject));
  const following = follower.follow(jobs);
  try {
    // Without the user's signal: a call that is left could not say how its cancelling went.
    return await call(context.patience);
  } catch (error) {
    if (!context.surroundings.signal.aborted) throw error;
    throw new Failure(cancelled(error), { hint: subject.left ?? follower.hint() });
  } finally {
    await jobs.return?.();
    await following;
  }
}

/** Watches for a call's job, shows it, and cancels it once the user wants to stop. */
class JobFollower {
  readonly #context: Context;
  readonly #connection: Connection;
  readonly #isOwn: (job: Job) => boolean;
  #job: Job | null = null;
  #cancelling: Promise<void> | null = null;

  constructor(context: Context, connection: Connection, isOwn: (job: Job) => boolean) {
    this.#context = context;
    this.#connection = connection;
    this.#isOwn = isOwn;
  }

  async follow(jobs: AsyncIterable<Job>): Promise<void> {
    const { stderr, signal } = this.#context.surroundings;
    const line = new Progress(stderr, this.#context.isQuiet);
    const stop = (): void => this.#cancel();
    signal.addEventListener("abort", stop);
    try {
      for await (const job of jobs) {
        if (!this.#isOwn(job)) continue;
        this.#job = job;
        if (signal.aborted) this.#cancel();
        if (job.endedAt === null) line.show(progressOf(job));
      }
      await this.#cancelling;
    } finally {
      signal.removeEventListener("abort", stop);
      line.end();
    }
  }

  /** What cancelling left behind; null: nothing that would have to be said. */
  hint(): string | null {
    return this.#job === null ? null : LEFT_BEHIND[this.#job.kind](this.#job);
  }

  #cancel(): void {
    if (this.#job === null || this.#cancelling !== null) return;
    // It may have ended in the meantime: then there is nothing to cancel.
    this.#cancelling = this.#connection.cancelJob(this.#job.id, this.#context.patience).catch(() => {});
  }
}

const REMOVED_AGAIN = (): string => "the new volume was removed again";
const PARTLY_OVERWRITTEN = (): string => "the volume is partly overwritten";

const LEFT_BEHIND: Readonly<Record<Job["kind"], (job: Job) => string | null>> = {
  create: REMOVED_AGAIN,
  clone: REMOVED_AGAIN,
  convert: REMOVED_AGAIN,
  resize: ({ pool, volume }) => `${commandOn("vol-info", pool, volume)} shows which capacity the volume has now`,
  wipe: PARTLY_OVERWRITTEN,
  upload: PARTLY_OVERWRITTEN,
  download: () => null,
  delete: ({ pool }) => `${commandOn("vol-list", pool)} shows what is left`,
  build: ({ pool }) => `${commandOn("pool-build", pool)} begins anew`,
  refresh: () => "the pool's volumes are as they were found before",
  start: () => "the pool is not started",
  unknown: () => null,
};

async function leaveWhenStopped<Result>({ surroundings: { signal } }: Context, work: () => Promise<Result>) {
  try {
    return await work();
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new Failure(cancelled(error), { hint: "the server may finish what it began: it knows no cancelling" });
  }
}

/** What the server was stopped at ("Failed to write …") reads as if something were broken. */
function cancelled(error: unknown): unknown {
  if (!(error instanceof LibvirtError) || error.code !== ErrorCode.OPERATION_ABORTED) return error;
  const text = "operation aborted: cancelled by Ctrl-C or another signal";
  return new LibvirtError(error.code, error.domain, text, { cause: error });
}

function isAbout(job: Job, { pool, volume }: Subject): boolean {
  return job.pool === pool && (volume === undefined || job.volume === volume);
}
