import type { Job } from "@cistern/client";
import { formatDuration } from "./duration.js";
import { formatDone, type ProgressFacts } from "./progress.js";
import { formatSize } from "./size.js";

/** A job as a progress line shows it. */
export function progressOf(job: Job): ProgressFacts {
  return { ...job, state: job.state === "running" ? null : job.state };
}

/** "512.00 MiB/s"; null: nothing moves. */
export function formatRate({ bytesPerSecond }: Job): string | null {
  return bytesPerSecond === 0n ? null : `${formatSize(bytesPerSecond)}/s`;
}

/** "3 min 20 s"; null: it has ended, or nobody can tell. */
export function formatLeft({ endedAt, remainingSeconds }: Job): string | null {
  return endedAt !== null || remainingSeconds === null ? null : formatDuration(remainingSeconds);
}

/** How it stands with a job, without its name: "running, 1.00 GiB of 4.00 GiB (25 %), 512.00 MiB/s, 6 s left". */
export function formatJobState(job: Job): string {
  const left = formatLeft(job);
  const { startedAt, endedAt } = job;
  const took = startedAt === null || endedAt === null ? null : (endedAt.getTime() - startedAt.getTime()) / 1000;
  const parts = [
    job.state,
    formatDone(job.doneBytes, job.totalBytes),
    formatRate(job),
    left === null ? null : `${left} left`,
    took === null ? null : `after ${formatDuration(took)}`,
    job.error === null ? null : job.error.message.trimEnd(),
  ];
  return parts.filter((part) => part !== null).join(", ");
}

/** "user 0, process 4711, client 3"; "the daemon itself". */
export function formatRequester({ requester: { door, userId, processId, client } }: Job): string {
  if (door === "daemon") return "the daemon itself";
  const parts = [
    userId === null ? null : `user ${userId}`,
    processId === null ? null : `process ${processId}`,
    client === null ? null : `client ${client}`,
    door === "rpc" ? null : `by ${door}`,
  ];
  return parts.filter((part) => part !== null).join(", ") || "unknown";
}
