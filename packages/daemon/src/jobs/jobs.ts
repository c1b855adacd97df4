import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { limits } from "../limits.js";
import type { Job } from "./job.js";
import { isOver, type JobDescription, type JobFacts } from "./job-facts.js";
import { type Journal, NO_JOURNAL } from "./journal.js";
import { RunningJob } from "./running-job.js";
import { type SlotLimits, Slots } from "./slots.js";

/** What an administrator may set; a change takes effect for jobs to come and for those that wait. */
export interface JobSettings {
  readonly slots: SlotLimits;
  /** Of each job; null: not limited. */
  readonly bandwidthBytesPerSecond: bigint | null;
  /** What becomes of a job whose client goes away before its end. */
  readonly onDisconnect: "keep" | "cancel";
}

export const STANDARD_JOB_SETTINGS: JobSettings = {
  slots: { overall: limits.jobsAtOnce, perPool: limits.jobsPerPool },
  bandwidthBytesPerSecond: null,
  onDisconnect: "keep",
};

/** A job that was announced. */
export interface OpenJob extends Job {
  readonly id: number;
  /** Resolves when it is its turn; rejects when it was cancelled while it waited. */
  begin(): Promise<void>;
  /** Pairs with `Jobs.open`. null: it succeeded. */
  end(error: Error | null): Promise<void>;
}

/** All work that is under way, and for a while what has ended. */
export class Jobs {
  readonly #journal: Journal;
  readonly #slots: Slots;
  readonly #running = new Map<number, RunningJob>();
  /** In the order of their ends. */
  readonly #ended = new Map<number, JobFacts>();
  readonly #watchers = new Set<(job: JobFacts) => void>();
  /** Jobs whose progress is told at the next tick. */
  readonly #moved = new Set<RunningJob>();
  #tick: NodeJS.Timeout | null = null;
  #settings: JobSettings;
  /** Why no work is begun any more. */
  #stopped: Error | null = null;
  #nextId = 1;

  constructor(journal: Journal = NO_JOURNAL, settings: JobSettings = STANDARD_JOB_SETTINGS) {
    this.#journal = journal;
    this.#settings = settings;
    this.#slots = new Slots(settings.slots);
  }

  set settings(settings: JobSettings) {
    this.#settings = settings;
    this.#slots.limits = settings.slots;
  }

  /** Those that are under way, in the order in which they came; with `ended`, before them what has ended lately. */
  list(options: { readonly ended?: boolean } = {}): JobFacts[] {
    const running = [...this.#running.values()].map(({ facts }) => facts);
    if (options.ended !== true) return running;
    this.#forgetOld();
    return [...this.#ended.values(), ...running];
  }

  /** 8/18 "no job with id N" once it is forgotten. */
  get(id: number): JobFacts {
    this.#forgetOld();
    const facts = this.#running.get(id)?.facts ?? this.#ended.get(id);
    if (facts === undefined) throw noJob(id);
    return facts;
  }

  /** Asks a job to stop and undo what it made; it is over when its state says so. 55 for one that has ended. */
  cancel(id: number): void {
    this.#runningJob(id).cancel(calledOff("the job was cancelled"));
  }

  /** null: no limit. 55 for a job that has ended. */
  setBandwidth(id: number, bytesPerSecond: bigint | null): void {
    this.#runningJob(id).bandwidthBytesPerSecond = bytesPerSecond;
  }

  /** Tells of each change of a job, progress twice a second at most. Returns how to stop. A listener must not throw. */
  watch(listener: (job: JobFacts) => void): () => void {
    this.#watchers.add(listener);
    return () => this.#watchers.delete(listener);
  }

  /** Announces a job: it can be seen and cancelled from now on. After `cancelAll` it is cancelled before it begins. */
  open(description: JobDescription): OpenJob {
    const job = new RunningJob(this.#nextId++, description, {
      journal: this.#journal,
      bandwidthBytesPerSecond: this.#settings.bandwidthBytesPerSecond,
      changed: (isProgress) => this.#changed(job, isProgress),
    });
    this.#running.set(job.id, job);
    this.#changed(job, false);
    const stopListening = this.#cancelWithClient(job);
    if (this.#stopped !== null) job.cancel(this.#stopped);
    let release = (): void => {};
    return Object.assign(job, {
      begin: async (): Promise<void> => {
        if (description.isHeavy) release = await this.#slots.take(description.pool, job.signal);
        job.signal.throwIfAborted();
        job.begun();
      },
      end: async (error: Error | null): Promise<void> => {
        stopListening();
        release();
        await job.ended(error);
        this.#running.delete(job.id);
        this.#remember(job.facts);
      },
    });
  }

  /** The work as a job of its own, from its announcement to its end. */
  async run<T>(description: JobDescription, work: (job: Job) => Promise<T>): Promise<T> {
    const job = this.open(description);
    try {
      await job.begin();
      const result = await work(job);
      await job.end(null);
      return result;
    } catch (error) {
      await job.end(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  /** What recovery found of an earlier daemon's work, so that whoever asks for it is told. */
  recall(facts: Omit<JobFacts, "id">): void {
    this.#remember({ ...facts, id: this.#nextId++ });
  }

  /** Asks all work to stop, also what comes from now on, and waits until it has undone what it made, at most `timeoutMs`. */
  async cancelAll(reason: string, timeoutMs: number): Promise<void> {
    const stopped = calledOff(reason);
    this.#stopped = stopped;
    const running = [...this.#running.values()];
    const over = Promise.all(running.map((job) => this.#over(job)));
    for (const job of running) job.cancel(stopped);
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([over, deadline]);
    clearTimeout(timer);
    if (this.#tick !== null) clearTimeout(this.#tick);
  }

  #over(job: RunningJob): Promise<void> {
    if (job.isOver) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = this.watch(({ id, state }) => {
        if (id !== job.id || !isOver(state)) return;
        stop();
        resolve();
      });
    });
  }

  #runningJob(id: number): RunningJob {
    const job = this.#running.get(id);
    if (job !== undefined && !job.isOver) return job;
    if (job === undefined && !this.#ended.has(id)) throw noJob(id);
    throw LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, `job ${id} has ended`);
  }

  #cancelWithClient(job: RunningJob): () => void {
    const gone = job.description.requester.gone;
    if (gone === undefined) return () => {};
    const leave = (): void => {
      if (this.#settings.onDisconnect !== "cancel") return;
      job.cancel(calledOff("the client went away"));
    };
    if (gone.aborted) leave();
    gone.addEventListener("abort", leave, { once: true });
    return () => gone.removeEventListener("abort", leave);
  }

  #changed(job: RunningJob, isProgress: boolean): void {
    if (this.#watchers.size === 0) return;
    if (!isProgress) {
      this.#moved.delete(job);
      this.#tell(job.facts);
      return;
    }
    this.#moved.add(job);
    if (this.#tick !== null) return;
    this.#tick = setTimeout(() => {
      this.#tick = null;
      const moved = [...this.#moved];
      this.#moved.clear();
      for (const each of moved) this.#tell(each.facts);
    }, limits.jobProgressIntervalMs);
    this.#tick.unref();
  }

  #tell(facts: JobFacts): void {
    for (const watcher of [...this.#watchers]) watcher(facts);
  }

  #remember(facts: JobFacts): void {
    this.#ended.set(facts.id, facts);
    this.#forgetOld();
  }

  #forgetOld(): void {
    const oldest = Date.now() - limits.endedJobMs;
    for (const [id, { endedAt }] of this.#ended) {
      if (this.#ended.size <= limits.endedJobs && (endedAt?.getTime() ?? 0) >= oldest) return;
      this.#ended.delete(id);
    }
  }
}

function calledOff(why: string): LibvirtError {
  return LibvirtError.of(ErrorCode.OPERATION_ABORTED, ErrorDomain.STORAGE, why);
}

function noJob(id: number): LibvirtError {
  return LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, `no job with id ${id}`);
}
