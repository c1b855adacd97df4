import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { DAEMON_REQUESTER, type JobDescription, type JobFacts } from "../../dist/jobs/job-facts.js";
import { Jobs } from "../../dist/jobs/jobs.js";
import { limits } from "../../dist/limits.js";
import { JobWatches } from "../../dist/rpc/job-watches.js";

const wipe: JobDescription = {
  kind: "wipe",
  pool: "default",
  volume: "a.img",
  requester: DAEMON_REQUESTER,
  isHeavy: false,
};

function watched(jobs: Jobs): { watches: JobWatches; told: string[] } {
  const told: string[] = [];
  const tell = ({ id, state }: JobFacts, ids: readonly number[]): unknown => told.push(`${id} ${state} (${ids})`);
  return { watches: new JobWatches(jobs, tell), told };
}

describe("watches of jobs", () => {
  it("tell what there is once the reply is on its way, and then each change", async () => {
    const jobs = new Jobs();
    const first = jobs.open(wipe);
    await first.begin();
    const { watches, told } = watched(jobs);
    const all = watches.watch(null);
    const one = watches.watch(first.id);
    const second = jobs.open(wipe);
    expect(told).toEqual([]);
    await turn();
    expect(told).toEqual([`1 running (${all})`, `2 queued (${all})`, `1 running (${one})`]);
    told.length = 0;
    await second.begin();
    await first.end(null);
    expect(told).toEqual([`2 running (${all})`, `1 done (${all},${one})`]);
    watches.unwatch(all);
    await second.end(null);
    expect(told).toHaveLength(2);
    watches.close();
  });

  it("of a job that ended so long ago that it is forgotten are refused, and one that is granted tells", async () => {
    const jobs = new Jobs();
    await jobs.run(wipe, async () => {});
    const { watches, told } = watched(jobs);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + limits.endedJobMs - 1_000 });
    try {
      const watch = watches.watch(1);
      vi.setSystemTime(Date.now() + 2_000);
      await turn();
      expect(told).toEqual([`1 done (${watch})`]);
      expect(() => watches.watch(1)).toThrow("no job with id 1");
    } finally {
      vi.useRealTimers();
    }
  });

  it("tell the end of a job that has ended before", async () => {
    const jobs = new Jobs();
    await jobs.run(wipe, async () => {});
    const { watches, told } = watched(jobs);
    const watch = watches.watch(1);
    await turn();
    expect(told).toEqual([`1 done (${watch})`]);
    watches.close();
  });

  it("of a job that nobody knows are refused, and so are too many, and numbers that are none", () => {
    const jobs = new Jobs();
    const { watches } = watched(jobs);
    expect(() => watches.watch(5)).toThrow("no job with id 5");
    for (let count = 0; count < limits.jobWatchesPerClient; count++) watches.watch(null);
    expect(() => watches.watch(null)).toThrow("a client may watch jobs at most 64 times at once");
    expect(() => watches.unwatch(-1)).toThrow("job watch -1 not registered");
    watches.close();
    watches.unwatch(watches.watch(null));
  });

  it("that were ended tell nothing any more, also before they began", async () => {
    const jobs = new Jobs();
    const job = jobs.open(wipe);
    const { watches, told } = watched(jobs);
    watches.watch(null);
    watches.unwatch(watches.watch(job.id));
    await turn();
    watches.watch(null);
    watches.close();
    await turn();
    await job.begin();
    job.progress(1n, 2n);
    await sleep(limits.jobProgressIntervalMs + 100);
    await job.end(null);
    expect(told).toHaveLength(1);
  });
});
