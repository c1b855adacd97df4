import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { JobFacts } from "../jobs/job-facts.js";
import type { Jobs } from "../jobs/jobs.js";
import { limits } from "../limits.js";

interface Watch {
  /** null: all jobs. */
  readonly jobId: number | null;
  /** The job when it was asked for; it may be forgotten before the client is told how things stand. */
  readonly seen: JobFacts | null;
  /** The client was told how things stand; what comes from now on is news. */
  begun: boolean;
}

/** Numbers of watches are unique in the daemon, as those of callbacks are. */
let nextWatchId = 1;

/** The jobs that one client watches. Nothing is listened to while it watches none. */
export class JobWatches {
  readonly #jobs: Jobs;
  readonly #tell: (job: JobFacts, watchIds: readonly number[]) => void;
  readonly #watches = new Map<number, Watch>();
  #stopListening: (() => void) | null = null;

  constructor(jobs: Jobs, tell: (job: JobFacts, watchIds: readonly number[]) => void) {
    this.#jobs = jobs;
    this.#tell = tell;
  }

  /**
   * The watch's number. The job as it is (or each that is under way, for null) is told once the reply is on its way, so
   * that neither what happened before it nor what happens right after it is missed. 8/18 for a job that is not known.
   */
  watch(jobId: number | null): number {
    const seen = jobId === null ? null : this.#jobs.get(jobId);
    if (this.#watches.size >= limits.jobWatchesPerClient) {
      throw refusal(`a client may watch jobs at most ${limits.jobWatchesPerClient} times at once`);
    }
    const id = nextWatchId++;
    this.#watches.set(id, { jobId, seen, begun: false });
    setImmediate(() => this.#begin(id));
    return id;
  }

  unwatch(watchId: number): void {
    if (!this.#watches.delete(watchId)) throw refusal(`job watch ${watchId} not registered`);
    if (this.#watches.size === 0) this.#stop();
  }

  /** Ends all of them. */
  close(): void {
    this.#watches.clear();
    this.#stop();
  }

  #begin(watchId: number): void {
    const watch = this.#watches.get(watchId);
    if (watch === undefined) return;
    watch.begun = true;
    this.#stopListening ??= this.#jobs.watch((job) => this.#changed(job));
    for (const job of this.#current(watch)) this.#tell(job, [watchId]);
  }

  #current({ seen }: Watch): readonly JobFacts[] {
    if (seen === null) return this.#jobs.list();
    return [this.#jobs.list({ ended: true }).find(({ id }) => id === seen.id) ?? seen];
  }

  #changed(job: JobFacts): void {
    const ids: number[] = [];
    for (const [id, { jobId, begun }] of this.#watches) {
      if (begun && (jobId === null || jobId === job.id)) ids.push(id);
    }
    if (ids.length > 0) this.#tell(job, ids);
  }

  #stop(): void {
    this.#stopListening?.();
    this.#stopListening = null;
  }
}

function refusal(detail: string): LibvirtError {
  return LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.RPC, detail);
}
