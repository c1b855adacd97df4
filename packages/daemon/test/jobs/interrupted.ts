import { DAEMON_REQUESTER, type JobFacts, titleOf } from "../../dist/jobs/job-facts.js";

/** A job of an earlier daemon, as its records have it. */
export function factsOf(more: Partial<JobFacts> = {}): JobFacts {
  const about = { kind: "clone", pool: "images", volume: "a.img", source: null, ...more } as const;
  return {
    ...about,
    id: 7,
    title: titleOf(about),
    requester: DAEMON_REQUESTER,
    state: "running",
    createdAt: new Date(),
    startedAt: new Date(),
    endedAt: null,
    doneBytes: 0n,
    totalBytes: 0n,
    bytesPerSecond: 0,
    remainingSeconds: null,
    bandwidthBytesPerSecond: null,
    way: null,
    remarks: [],
    error: null,
    ...more,
  };
}
