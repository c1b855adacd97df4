import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { CancelSignal } from "../../dist/cancel-signal.js";
import { DAEMON_REQUESTER, type JobDescription, type JobFacts } from "../../dist/jobs/job-facts.js";
import { Jobs, STANDARD_JOB_SETTINGS } from "../../dist/jobs/jobs.js";
import { NO_JOURNAL } from "../../dist/jobs/journal.js";

const wipe: JobDescription = {
  kind: "wipe",
  pool: "default",
  volume: "a.img",
  requester: DAEMON_REQUESTER,
  isHeavy: true,
};

/** Work that goes on until it is cancelled, and then needs a moment to clean up. */
function endless(log: string[] = []) {
  return async ({ signal }: { readonly signal: CancelSignal }): Promise<never> => {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    await sleep(20);
    log.push("cleaned up");
    throw signal.reason;
  };
}

describe("jobs", () => {
  it("are listed with their progress while they run, and among the ended ones afterwards", async () => {
    const jobs = new Jobs();
    const result = await jobs.run(wipe, async (job) => {
      job.progress(3n, 10n);
      job.way("overwriting");
      job.remark("Old blocks may survive.");
      job.remark("Old blocks may survive.");
      expect(jobs.list()).toMatchObject([
        {
          id: 1,
          kind: "wipe",
          title: "wipe volume 'a.img' of pool 'default'",
          state: "running",
          doneBytes: 3n,
          totalBytes: 10n,
          way: "overwriting",
          remarks: ["Old blocks may survive."],
        },
      ]);
      return "done";
    });
    expect(result).toBe("done");
    expect(jobs.list()).toEqual([]);
    expect(jobs.list({ ended: true })).toMatchObject([{ id: 1, state: "done", doneBytes: 10n, remainingSeconds: 0 }]);
    expect(jobs.get(1).state).toBe("done");
    expect(() => jobs.get(2)).toThrow("no job with id 2");
  });

  it("that fail say why, and pass the failure on", async () => {
    const jobs = new Jobs();
    await expect(jobs.run(wipe, () => Promise.reject(new Error("the disk is on fire")))).rejects.toThrow("on fire");
    expect(jobs.get(1)).toMatchObject({ state: "failed", error: { message: "the disk is on fire" } });
  });

  it("that are cancelled before they begin, or before they ask, are cancelled all the same", async () => {
    const jobs = new Jobs();
    const quick = { ...wipe, isHeavy: false };
    const early = jobs.open(quick);
    jobs.cancel(early.id);
    await expect(early.begin()).rejects.toMatchObject({ code: 78 });
    const late = jobs.open(quick);
    await late.begin();
    jobs.cancel(late.id);
    expect(late.signal.aborted).toBe(true);
    expect(late.signal.reason).toMatchObject({ code: 78 });
    await late.end(new Error("given up"));
    expect(jobs.get(late.id).state).toBe("cancelled");
  });

  it("end when they are cancelled, after they have cleaned up", async () => {
    const jobs = new Jobs();
    const log: string[] = [];
    const failed = expect(jobs.run(wipe, endless(log))).rejects.toThrow("the job was cancelled");
    await sleep(1);
    jobs.cancel(1);
    expect(jobs.get(1).state).toBe("cancelling");
    await failed;
    expect(log).toEqual(["cleaned up"]);
    expect(jobs.get(1).state).toBe("cancelled");
    expect(() => jobs.cancel(1)).toThrow("job 1 has ended");
    expect(() => jobs.cancel(7)).toThrow("no job with id 7");
  });

  it("are all asked to stop when the daemon does", async () => {
    const jobs = new Jobs();
    const log: string[] = [];
    const failed = expect(jobs.run(wipe, endless(log))).rejects.toThrow("the daemon is stopping");
    await sleep(1);
    await jobs.cancelAll("the daemon is stopping", 5_000);
    expect(log).toEqual(["cleaned up"]);
    await failed;
  });

  it("that come while the daemon stops are cancelled before they begin", async () => {
    const jobs = new Jobs();
    let letGo = (): void => {};
    const deaf = jobs.run(wipe, () => new Promise<void>((resolve) => (letGo = resolve)));
    await sleep(1);
    const stopped = jobs.cancelAll("the daemon is stopping", 60_000);
    let begun = 0;
    for (const isHeavy of [true, false]) {
      const late = jobs.run({ ...wipe, isHeavy }, async () => void begun++);
      await expect(late).rejects.toMatchObject({
        code: 78,
        message: expect.stringContaining("the daemon is stopping"),
      });
    }
    expect(begun).toBe(0);
    expect(jobs.list({ ended: true }).map(({ state }) => state)).toEqual(["cancelled", "cancelled", "cancelling"]);
    letGo();
    await Promise.all([deaf, stopped]);
  });

  it("that do not listen are not waited for beyond the deadline", async () => {
    const jobs = new Jobs();
    const deaf = jobs.run(wipe, () => sleep(400, "ended by itself"));
    await sleep(1);
    const startedAt = performance.now();
    await jobs.cancelAll("stop", 50);
    expect(performance.now() - startedAt).toBeLessThan(300);
    expect(await deaf).toBe("ended by itself");
  });

  it("wait for their turn where too many run, overall and of one pool, and can be cancelled while they wait", async () => {
    const jobs = new Jobs(NO_JOURNAL, { ...STANDARD_JOB_SETTINGS, slots: { overall: 3, perPool: 2 } });
    const ends: (() => void)[] = [];
    const start = (pool: string): Promise<unknown> =>
      jobs.run({ ...wipe, pool }, () => new Promise<void>((resolve) => ends.push(resolve))).catch((error) => error);
    const all = ["a", "a", "a", "b", "b"].map(start);
    await sleep(1);
    const states = (): string[] => jobs.list().map(({ id, state }) => `${id} ${state}`);
    // The third of pool a holds nobody of pool b up.
    expect(states()).toEqual(["1 running", "2 running", "3 queued", "4 running", "5 queued"]);
    jobs.cancel(3);
    await all[2];
    expect(states()).toEqual(["1 running", "2 running", "4 running", "5 queued"]);
    ends[0]?.();
    await all[0];
    expect(states()).toEqual(["2 running", "4 running", "5 running"]);
    for (const end of ends) end();
    await Promise.all(all);
    expect(jobs.list()).toEqual([]);
  });

  it("light ones do not wait", async () => {
    const jobs = new Jobs(NO_JOURNAL, { ...STANDARD_JOB_SETTINGS, slots: { overall: 1, perPool: 1 } });
    const heavy = jobs.run(wipe, endless()).catch(() => "cancelled");
    await sleep(1);
    expect(await jobs.run({ ...wipe, isHeavy: false }, async () => "at once")).toBe("at once");
    jobs.cancel(1);
    expect(await heavy).toBe("cancelled");
  });

  it("tell who watches of each change of state, and of progress now and then", async () => {
    const jobs = new Jobs();
    const seen: JobFacts[] = [];
    const stop = jobs.watch((facts) => seen.push(facts));
    await jobs.run(wipe, async (job) => {
      for (let done = 1n; done <= 1000n; done++) job.progress(done, 2000n);
      await sleep(700);
    });
    stop();
    await jobs.run(wipe, async () => {});
    expect(seen.map(({ state, doneBytes }) => `${state} ${doneBytes}`)).toEqual([
      "queued 0",
      "running 0",
      "running 1000",
      "done 2000",
    ]);
  });

  it("know how fast they are and when they will be done", async () => {
    const jobs = new Jobs();
    await jobs.run(wipe, async (job) => {
      await sleep(400);
      job.progress(400n, 1200n);
      const { bytesPerSecond, remainingSeconds } = jobs.get(1);
      expect(bytesPerSecond).toBeGreaterThan(200);
      expect(bytesPerSecond).toBeLessThan(1100);
      expect(remainingSeconds).toBeGreaterThanOrEqual(1);
      expect(remainingSeconds).toBeLessThanOrEqual(4);
    });
  });

  it("have no speed where bytes are only reserved, but say when they will be done", async () => {
    const jobs = new Jobs();
    await jobs.run(wipe, async (job) => {
      await sleep(300);
      job.progress(400n, 1200n, { isMoved: false });
      expect(jobs.get(1)).toMatchObject({ bytesPerSecond: 0, remainingSeconds: expect.any(Number) });
    });
    expect(jobs.get(1)).toMatchObject({ state: "done", doneBytes: 1200n, bytesPerSecond: 0 });
  });

  it("whose limit is changed are as fast as since then", async () => {
    const jobs = new Jobs();
    await jobs.run(wipe, async (job) => {
      await sleep(250);
      job.progress(1_000_000n, 2_000_000n);
      expect(jobs.get(1).bytesPerSecond).toBeGreaterThan(100_000);
      jobs.setBandwidth(1, 1000n);
      expect(jobs.get(1)).toMatchObject({ bytesPerSecond: 0, remainingSeconds: null });
      await sleep(250);
      job.progress(1_000_250n, 2_000_000n);
      expect(jobs.get(1).bytesPerSecond).toBeLessThan(1100);
      expect(jobs.get(1).remainingSeconds).toBeGreaterThan(900);
    });
  });

  it("keep to their bandwidth, which can be changed while they run", async () => {
    const jobs = new Jobs(NO_JOURNAL, { ...STANDARD_JOB_SETTINGS, bandwidthBytesPerSecond: 100_000n });
    const startedAt = performance.now();
    await jobs.run(wipe, async (job) => {
      // Half a second's worth may come at once.
      for (let step = 0; step < 10; step++) await job.pace(10_000n);
      expect(performance.now() - startedAt).toBeGreaterThan(400);
      jobs.setBandwidth(1, null);
      await job.pace(1_000_000_000n);
      expect(jobs.get(1).bandwidthBytesPerSecond).toBeNull();
    });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  it("whose limit is raised do not wait for what the old one would have taken", async () => {
    const jobs = new Jobs(NO_JOURNAL, { ...STANDARD_JOB_SETTINGS, bandwidthBytesPerSecond: 1n });
    const startedAt = performance.now();
    await jobs.run(wipe, async (job) => {
      setTimeout(() => jobs.setBandwidth(1, 1_000_000_000n), 50);
      await job.pace(1_000_000n);
    });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  it("go on when their client leaves, or are cancelled, as the settings say", async () => {
    const gone = new AbortController();
    const description = { ...wipe, requester: { ...DAEMON_REQUESTER, gone: gone.signal } };
    const keeping = new Jobs();
    const cancelling = new Jobs(NO_JOURNAL, { ...STANDARD_JOB_SETTINGS, onDisconnect: "cancel" });
    const kept = keeping.run(description, () => sleep(50, "kept"));
    const cancelled = expect(cancelling.run(description, endless())).rejects.toThrow("the client went away");
    await sleep(1);
    gone.abort();
    expect(await kept).toBe("kept");
    await cancelled;
  });
});
