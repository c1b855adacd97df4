import type { JOB_KINDS, JOB_STATES } from "@cistern/protocol";
import type { CancelSignal } from "../cancel-signal.js";

/** What a job does. */
export type JobKind = (typeof JOB_KINDS)[number];

/**
 * How far a job is. "queued": it waits for others to end. "cancelling": it undoes what it made. "interrupted": the daemon
 * died over it; what was left was undone or is named in the remarks.
 */
export type JobState = (typeof JOB_STATES)[number];

export function isOver(state: JobState): boolean {
  return state === "done" || state === "failed" || state === "cancelled" || state === "interrupted";
}

export const REQUESTER_DOORS = ["rpc", "http", "daemon"] as const;

/** Who asked for it. */
export interface Requester {
  /** "daemon": nobody, it is the daemon's own work (autostart, the scan after an upload). */
  readonly door: (typeof REQUESTER_DOORS)[number];
  /** By the socket; null where it cannot tell. */
  readonly userId: number | null;
  readonly processId: number | null;
  /** The client's number in the log; 0: none. */
  readonly client: number;
  /** Aborts when that client is gone. */
  readonly gone?: CancelSignal;
  /** What guests are only defined with is refused to be destroyed as well; absent: as the configuration says. */
  readonly refusesDefinedUses?: boolean;
}

export const DAEMON_REQUESTER: Requester = { door: "daemon", userId: null, processId: null, client: 0 };

/** What a job is about, known before it begins. */
export interface JobDescription {
  readonly kind: JobKind;
  readonly pool: string;
  /** null: it is about the pool as such. */
  readonly volume: string | null;
  /** Of a clone: "pool/volume". */
  readonly source?: string | null;
  readonly requester: Requester;
  /** It moves much data and waits for its turn: counts against the limits of jobs at once. */
  readonly isHeavy: boolean;
}

/** What a person is told about a job. */
export interface JobFacts extends Omit<JobDescription, "isHeavy"> {
  readonly id: number;
  readonly source: string | null;
  /** "wipe volume 'a.img' of pool 'default'". */
  readonly title: string;
  readonly state: JobState;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly doneBytes: bigint;
  /** 0: not known. */
  readonly totalBytes: bigint;
  /** Of the last seconds; of an ended job: over all its time. 0 where bytes are only reserved or shared. */
  readonly bytesPerSecond: number;
  /** null: cannot be told. */
  readonly remainingSeconds: number | null;
  /** null: not limited. */
  readonly bandwidthBytesPerSecond: bigint | null;
  /** By which way it was done, once that is decided. */
  readonly way: string | null;
  readonly remarks: readonly string[];
  /** Why it failed. */
  readonly error: Error | null;
}

/** What is done to what, for people. */
export function titleOf({
  kind,
  pool,
  volume,
  source,
}: Pick<JobDescription, "kind" | "pool" | "volume" | "source">): string {
  if (volume === null) return `${kind} pool '${pool}'`;
  const from = source == null ? "" : ` from '${source}'`;
  return `${kind} volume '${volume}' of pool '${pool}'${from}`;
}
