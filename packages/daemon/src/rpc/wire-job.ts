import { JOB_DOORS, JOB_KINDS, JOB_STATES, LIMITS, LibvirtError, sendableText, type WireJob } from "@cistern/protocol";
import type { JobFacts } from "../jobs/job-facts.js";

/** A job as it travels. Whatever its facts are, they can be sent: texts are cut, and numbers that are none are 0. */
export function toWireJob(facts: JobFacts): WireJob {
  const { door, userId, processId, client } = facts.requester;
  return {
    id: BigInt(facts.id),
    kind: JOB_KINDS.indexOf(facts.kind),
    state: JOB_STATES.indexOf(facts.state),
    pool: cut(facts.pool),
    volume: cutOptional(facts.volume),
    source: cutOptional(facts.source),
    title: cut(facts.title),
    requester: { door: JOB_DOORS.indexOf(door), userId, processId, client: BigInt(client) },
    created: microseconds(facts.createdAt),
    started: microseconds(facts.startedAt),
    ended: microseconds(facts.endedAt),
    doneBytes: atLeastZero(facts.doneBytes),
    totalBytes: atLeastZero(facts.totalBytes),
    bytesPerSecond: whole(facts.bytesPerSecond),
    remainingSeconds: facts.remainingSeconds === null ? -1n : whole(facts.remainingSeconds),
    bandwidthBytesPerSecond: facts.bandwidthBytesPerSecond ?? 0n,
    way: cutOptional(facts.way),
    remarks: facts.remarks.slice(0, LIMITS.jobRemarks).map(cut),
    error: facts.error === null ? null : wireError(facts.error),
  };
}

export function wireError(thrown: Error): NonNullable<WireJob["error"]> {
  const { code, domain, message } = LibvirtError.from(thrown);
  return { code, domain, message: cut(message) };
}

function cut(text: string): string {
  return sendableText(text, LIMITS.jobTextBytes);
}

function cutOptional(text: string | null): string | null {
  return text === null ? null : cut(text);
}

export function microseconds(date: Date | null): bigint {
  return date === null ? 0n : whole(date.getTime()) * 1000n;
}

function atLeastZero(bytes: bigint): bigint {
  return bytes < 0n ? 0n : bytes;
}

/** A rate or duration as a whole number; one that nobody could wait for is as good as endless. */
function whole(value: number): bigint {
  return value > 0 ? BigInt(Math.round(Math.min(value, Number.MAX_SAFE_INTEGER))) : 0n;
}
