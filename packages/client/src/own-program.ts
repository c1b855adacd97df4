import {
  cistern,
  cisternEvents,
  ErrorCode,
  ErrorDomain,
  JOB_LIST_ENDED,
  LibvirtError,
  type PoolReference,
  type Procedure,
  type VolumeReference,
  type WireInspection,
} from "@cistern/protocol";
import type { Caller } from "./caller.js";
import type { CallOptions } from "./channel.js";
import { type EventHub, type Registration, topic } from "./event-hub.js";
import { type Job, readJob, readTime } from "./job.js";
import { jobNumber } from "./wrong-arguments.js";

/** What guests were promised of a pool. */
export interface PoolCommitment {
  readonly capacityBytes: bigint;
  /** What all volumes would take if guests wrote to all of them. */
  readonly promisedBytes: bigint;
  readonly availableBytes: bigint;
  /** Of promised to capacity; above it the daemon warns. null: it never does. */
  readonly warnRatio: number | null;
  /** Above it the daemon refuses to create. null: it never does. */
  readonly refuseRatio: number | null;
}

/** An autostart that has not come about yet, and is tried again. */
export interface AutostartFailure {
  /** Since the boot. */
  readonly attempts: number;
  /** When it was tried, or is being tried. */
  readonly lastAttemptAt: Date;
  /** null: it is being tried. */
  readonly nextAttemptAt: Date | null;
  /** Why the last attempt failed; `code` and `domain` are libvirt's. */
  readonly error: { readonly code: number; readonly domain: number; readonly message: string };
}

/** What is in a volume, and on what it rests. Words that are not documented there come from newer daemons. */
export type VolumeInspection = WireInspection;

const PER_MILLE = 1000;

const jobWatches: Registration<{ readonly id: bigint }, { readonly watchID: number }> = {
  register: cistern.jobWatch,
  idOf: ({ watchID }) => watchID,
  deregister: (channel, watchID) => channel.call(cistern.jobUnwatch, { watchID }),
};

/** Calls of Cistern's own program, which only cisternd answers. */
export class OwnProgram {
  readonly #caller: Caller;
  readonly #events: EventHub;
  readonly #peer: string;

  /** `peer` names the other end, for people. */
  constructor(caller: Caller, events: EventHub, peer: string) {
    this.#caller = caller;
    this.#events = events;
    this.#peer = peer;
  }

  async listJobs(settings: { readonly ended?: boolean | undefined }, options?: CallOptions): Promise<Job[]> {
    const flags = settings.ended === true ? JOB_LIST_ENDED : 0;
    return (await this.call(cistern.jobList, { flags }, options)).jobs.map(readJob);
  }

  async lookupJob(id: number, options?: CallOptions): Promise<Job> {
    return readJob((await this.call(cistern.jobGet, { id: jobNumber(id, cistern.jobGet) }, options)).job);
  }

  async watchJobs(id: number | null, options?: CallOptions): Promise<AsyncIterableIterator<Job>> {
    const jobs = topic({ id: jobNumber(id ?? 0, cistern.jobWatch) }, cisternEvents.jobEvent, ({ job }) => readJob(job));
    const isLast = (job: Job): boolean => id !== null && job.endedAt !== null;
    return this.#events.subscribe(jobWatches, [jobs], options, isLast).catch((error: unknown) => this.#refuse(error));
  }

  async cancelJob(id: number, options?: CallOptions): Promise<void> {
    await this.call(cistern.jobCancel, { id: jobNumber(id, cistern.jobCancel) }, options);
  }

  async setJobBandwidth(id: number, bytesPerSecond: bigint | null, options?: CallOptions): Promise<void> {
    const args = { id: jobNumber(id, cistern.jobSetBandwidth), bytesPerSecond: bytesPerSecond ?? 0n };
    await this.call(cistern.jobSetBandwidth, args, options);
  }

  async poolCommitment(pool: PoolReference, options?: CallOptions): Promise<PoolCommitment> {
    const wire = await this.call(cistern.poolGetCommitment, { pool }, options);
    return {
      capacityBytes: wire.capacity,
      promisedBytes: wire.promised,
      availableBytes: wire.available,
      warnRatio: wire.warnRatio === 0 ? null : wire.warnRatio / PER_MILLE,
      refuseRatio: wire.refuseRatio === 0 ? null : wire.refuseRatio / PER_MILLE,
    };
  }

  /** null: the pool runs, or nobody tries to start it. */
  async autostartFailure(pool: PoolReference, options?: CallOptions): Promise<AutostartFailure | null> {
    const { failure } = await this.call(cistern.poolGetAutostart, { pool }, options);
    if (failure === null) return null;
    const { attempts, lastAttempt, nextAttempt, error } = failure;
    return {
      attempts,
      lastAttemptAt: readTime(lastAttempt) ?? new Date(0),
      nextAttemptAt: readTime(nextAttempt),
      error,
    };
  }

  async inspectVolume(vol: VolumeReference, options?: CallOptions): Promise<VolumeInspection> {
    return (await this.call(cistern.volumeInspect, { vol }, options)).inspection;
  }

  /** Any procedure of the program. */
  async call<Args, Result>(procedure: Procedure<Args, Result>, args: Args, options?: CallOptions): Promise<Result> {
    return this.#caller.call(procedure, args, options).catch((error: unknown) => this.#refuse(error));
  }

  /** Other daemons of libvirt's protocol refuse the program as a whole. */
  #refuse(error: unknown): never {
    const foreign =
      error instanceof LibvirtError &&
      error.code === ErrorCode.RPC &&
      error.domain === ErrorDomain.RPC &&
      error.message.startsWith("Cannot find program");
    if (!foreign) throw error;
    const text = `not a Cistern daemon: ${this.#peer} does not know Cistern's own program`;
    throw new LibvirtError(ErrorCode.NO_SUPPORT, ErrorDomain.REMOTE, text, { cause: error });
  }
}
