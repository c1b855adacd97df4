import { JOB_DOORS, JOB_KINDS, JOB_STATES, type WireJob } from "@cistern/protocol";

/** "unknown": a newer daemon's. */
export type JobKind = (typeof JOB_KINDS)[number] | "unknown";

/**
 * How far a job is. "queued": it waits for others to end. "cancelling": it undoes what it made. "interrupted": the daemon
 * died over it; the remarks say what became of it. "unknown": a newer daemon's.
 */
export type JobState = (typeof JOB_STATES)[number] | "unknown";

/** Slow work that a daemon does, as it was when it was asked. */
export interface Job {
  /** Counted from 1 since the daemon's start. */
  readonly id: number;
  readonly kind: JobKind;
  readonly state: JobState;
  readonly pool: string;
  /** null: it is about the pool as such. */
  readonly volume: string | null;
  /** Of a clone: "pool/volume". */
  readonly source: string | null;
  /** "wipe volume 'a.img' of pool 'default'". */
  readonly title: string;
  readonly requester: JobRequester;
  readonly createdAt: Date;
  /** null: it waits for its turn. */
  readonly startedAt: Date | null;
  /** null: it is under way. */
  readonly endedAt: Date | null;
  /** Of `totalBytes`. */
  readonly doneBytes: bigint;
  /** null: not known. */
  readonly totalBytes: bigint | null;
  /** Of the last seconds; of an ended job: over all its time. 0 where bytes are only reserved or shared. */
  readonly bytesPerSecond: bigint;
  /** null: cannot be told. */
  readonly remainingSeconds: number | null;
  /** null: not limited. */
  readonly bandwidthBytesPerSecond: bigint | null;
  /** By which way it is done, once that is decided: "reflink". */
  readonly way: string | null;
  /** What whoever asked for it should know, in whole sentences. */
  readonly remarks: readonly string[];
  /** Why it failed, or by whose wish it ended; `code` and `domain` are libvirt's. */
  readonly error: { readonly code: number; readonly domain: number; readonly message: string } | null;
}

/** Who asked for a job. */
export interface JobRequester {
  /** "daemon": nobody, it is the daemon's own work. */
  readonly door: (typeof JOB_DOORS)[number] | "unknown";
  /** null: not known. */
  readonly userId: number | null;
  readonly processId: number | null;
  /** The client's number in the daemon's log; null: none. */
  readonly client: number | null;
}

/** A job as it came by wire. */
export function readJob(wire: WireJob): Job {
  const { requester } = wire;
  return {
    id: Number(wire.id),
    kind: JOB_KINDS[wire.kind] ?? "unknown",
    state: JOB_STATES[wire.state] ?? "unknown",
    pool: wire.pool,
    volume: wire.volume,
    source: wire.source,
    title: wire.title,
    requester: {
      door: JOB_DOORS[requester.door] ?? "unknown",
      userId: requester.userId,
      processId: requester.processId,
      client: requester.client === 0n ? null : Number(requester.client),
    },
    createdAt: readTime(wire.created) ?? new Date(0),
    startedAt: readTime(wire.started),
    endedAt: readTime(wire.ended),
    doneBytes: wire.doneBytes,
    totalBytes: wire.totalBytes === 0n ? null : wire.totalBytes,
    bytesPerSecond: wire.bytesPerSecond,
    remainingSeconds: wire.remainingSeconds < 0n ? null : Number(wire.remainingSeconds),
    bandwidthBytesPerSecond: wire.bandwidthBytesPerSecond === 0n ? null : wire.bandwidthBytesPerSecond,
    way: wire.way,
    remarks: wire.remarks,
    error: wire.error,
  };
}

/** null: not yet. */
export function readTime(microseconds: bigint): Date | null {
  return microseconds === 0n ? null : new Date(Number(microseconds / 1000n));
}
