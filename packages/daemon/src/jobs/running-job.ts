import { JobSignal } from "../cancel-signal.js";
import { limits } from "../limits.js";
import type { ChildProcessIdentity, Job, ProgressOptions, Recorded, Trace } from "./job.js";
import { isOver, type JobDescription, type JobFacts, type JobState, titleOf } from "./job-facts.js";
import type { Journal } from "./journal.js";
import { Pace } from "./pace.js";
import { Rate } from "./rate.js";

/** One job from its first mention to its end; what drivers see of it is `Job`, what people see `facts`. */
export class RunningJob implements Job {
  readonly id: number;
  readonly description: JobDescription;
  readonly #journal: Journal;
  readonly #changed: (isProgress: boolean) => void;
  readonly signal = new JobSignal();
  readonly #createdAt = new Date();
  readonly #rate = new Rate();
  readonly #pace: Pace;
  readonly #remarks: string[] = [];
  readonly #children: Recorded[] = [];
  #state: JobState = "queued";
  #startedAt: Date | null = null;
  #endedAt: Date | null = null;
  #doneBytes = 0n;
  #totalBytes = 0n;
  #isMoved = true;
  #way: string | null = null;
  #error: Error | null = null;
  /** Set while a child's record is on its way. */
  #recording: Promise<unknown> = Promise.resolve();

  constructor(
    id: number,
    description: JobDescription,
    parts: {
      readonly journal: Journal;
      readonly bandwidthBytesPerSecond: bigint | null;
      readonly changed: (isProgress: boolean) => void;
    },
  ) {
    this.id = id;
    this.description = description;
    this.#journal = parts.journal;
    this.#changed = parts.changed;
    this.#pace = new Pace(parts.bandwidthBytesPerSecond);
  }

  get isOver(): boolean {
    return isOver(this.#state);
  }
  get bandwidthBytesPerSecond(): bigint | null {
    return this.#pace.bytesPerSecond;
  }
  set bandwidthBytesPerSecond(bytesPerSecond: bigint | null) {
    this.#pace.bytesPerSecond = bytesPerSecond;
    this.#rate.restart(this.#doneBytes);
    this.#changed(false);
  }

  get facts(): JobFacts {
    const { kind, pool, volume, requester } = this.description;
    const source = this.description.source ?? null;
    const bytesPerSecond = this.#bytesPerSecond();
    return {
      id: this.id,
      kind,
      pool,
      volume,
      source,
      title: titleOf({ kind, pool, volume, source }),
      requester,
      state: this.#state,
      createdAt: this.#createdAt,
      startedAt: this.#startedAt,
      endedAt: this.#endedAt,
      doneBytes: this.#doneBytes,
      totalBytes: this.#totalBytes,
      bytesPerSecond: this.#isMoved ? bytesPerSecond : 0,
      remainingSeconds: this.#remainingSeconds(bytesPerSecond),
      bandwidthBytesPerSecond: this.#pace.bytesPerSecond,
      way: this.#way,
      remarks: [...this.#remarks],
      error: this.#error,
    };
  }

  progress(doneBytes: bigint, totalBytes: bigint, { isMoved }: ProgressOptions = { isMoved: true }): void {
    this.#isMoved = isMoved;
    this.#doneBytes = doneBytes;
    this.#totalBytes = totalBytes;
    this.#rate.add(doneBytes);
    this.#changed(true);
  }

  pace(bytes: bigint): Promise<void> {
    return this.#pace.wait(bytes, this.signal);
  }

  hurry(): void {
    this.#pace.end();
  }

  way(text: string): void {
    this.#way = text;
    this.#changed(false);
  }

  remark(text: string): void {
    if (this.#remarks.includes(text) || this.#remarks.length >= limits.remarksPerJob) return;
    this.#remarks.push(text);
    this.#changed(false);
  }

  record(trace: Trace): Promise<Recorded> {
    return this.#journal.add(this.facts, trace);
  }

  child(child: ChildProcessIdentity): void {
    // Nobody waits for it: the program runs already, and dies with the daemon.
    this.#recording = this.#journal.add(this.facts, { kind: "child", ...child }).then(
      (recorded) => this.#children.push(recorded),
      () => {},
    );
  }

  begun(): void {
    this.#state = this.signal.aborted ? "cancelling" : "running";
    this.#startedAt = new Date();
    this.#rate.add(0n);
    this.#changed(false);
  }

  cancel(reason: Error): void {
    if (this.isOver || this.signal.aborted) return;
    this.#state = "cancelling";
    this.signal.abort(reason);
    this.#changed(false);
  }

  async ended(error: Error | null): Promise<void> {
    if (this.isOver) return;
    this.#error = error;
    this.#endedAt = new Date();
    // A download that was given up may wait for its next part.
    this.#pace.end();
    this.#state = error === null ? "done" : this.signal.aborted ? "cancelled" : "failed";
    if (error === null && this.#totalBytes > 0n) this.#doneBytes = this.#totalBytes;
    this.#changed(false);
    await this.#recording;
    await Promise.all(this.#children.splice(0).map((recorded) => recorded.release()));
  }

  #bytesPerSecond(): number {
    if (this.#endedAt === null || this.#startedAt === null) return this.#rate.bytesPerSecond(this.#doneBytes);
    const elapsedMs = Math.max(1, this.#endedAt.getTime() - this.#startedAt.getTime());
    return (Number(this.#doneBytes) / elapsedMs) * 1000;
  }

  #remainingSeconds(bytesPerSecond: number): number | null {
    if (this.isOver) return 0;
    if (this.#totalBytes === 0n || bytesPerSecond <= 0) return null;
    return Math.ceil(Number(this.#totalBytes - this.#doneBytes) / bytesPerSecond);
  }
}
