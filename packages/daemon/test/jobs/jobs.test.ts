import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Jobs } from "../../dist/jobs/jobs.js";

describe("jobs", () => {
  it("are listed with their progress while they run, and not after", async () => {
    const jobs = new Jobs();
    const result = await jobs.run("wipe volume 'a'", async (job) => {
      job.progress(3n, 10n);
      expect(jobs.list()).toMatchObject([{ title: "wipe volume 'a'", doneBytes: 3n, totalBytes: 10n }]);
      return "done";
    });
    expect(result).toBe("done");
    expect(jobs.list()).toEqual([]);
  });

  it("end when they are cancelled, after they have cleaned up", async () => {
    const jobs = new Jobs();
    const log: string[] = [];
    const work = jobs.run("clone", async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      await sleep(20);
      log.push("cleaned up");
      throw signal.reason;
    });
    const failed = expect(work).rejects.toThrow("the daemon is stopping");
    await jobs.cancelAll(new Error("the daemon is stopping"), 5_000);
    expect(log).toEqual(["cleaned up"]);
    await failed;
  });

  it("that do not listen are not waited for beyond the deadline", async () => {
    const jobs = new Jobs();
    const deaf = jobs.run("deaf", () => sleep(400, "ended by itself"));
    const startedAt = performance.now();
    await jobs.cancelAll(new Error("stop"), 50);
    expect(performance.now() - startedAt).toBeLessThan(300);
    expect(await deaf).toBe("ended by itself");
  });
});
