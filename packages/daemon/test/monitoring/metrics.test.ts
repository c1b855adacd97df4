import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Hosts } from "../../dist/host/index.js";
import { EventLoopDelay } from "../../dist/monitoring/event-loop.js";
import { Metrics } from "../../dist/monitoring/metrics.js";

let root: string;
let hosts: Hosts;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "cistern-metrics-"));
  hosts = new Hosts();
});
afterEach(async () => {
  await hosts.close();
  await rm(root, { recursive: true, force: true });
});

/** Does nothing else for so long, as code that blocks would. */
function hold(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe("the event loop's delay", () => {
  it("is what it was held for, until the measurement begins anew", async () => {
    const delay = new EventLoopDelay(() => false);
    delay.needed();
    await sleep(50);
    hold(120);
    await sleep(20);
    expect(delay.maxMs).toBeGreaterThan(100);
    expect(delay.percentileMs(99)).toBeGreaterThan(100);
    expect(delay.percentileMs(10)).toBeLessThan(100);
    delay.reset();
    expect(delay.maxMs).toBe(0);
    await sleep(50);
    expect(delay.maxMs).toBeLessThan(100);
    delay.stop();
  });

  it("is measured from the first moment that somebody waits", async () => {
    const delay = new EventLoopDelay(() => false);
    hold(120);
    delay.needed();
    hold(60);
    await sleep(30);
    expect(delay.maxMs).toBeGreaterThan(40);
    expect(delay.maxMs).toBeLessThan(110);
    delay.stop();
  });

  it("is not measured while nobody waits and nothing is under way", async () => {
    let isWorking = true;
    const delay = new EventLoopDelay(() => isWorking);
    expect(delay.isMeasuring).toBe(false);
    delay.needed();
    await sleep(1_200);
    expect(delay.isMeasuring).toBe(true);
    isWorking = false;
    await expect.poll(() => delay.isMeasuring, { timeout: 5_000 }).toBe(false);
    // The pause is no delay.
    delay.reset();
    await sleep(300);
    delay.needed();
    await sleep(50);
    expect(delay.isMeasuring).toBe(true);
    expect(delay.maxMs).toBeLessThan(200);
    delay.stop();
  });
});

describe("metrics", () => {
  it("are written in Prometheus' form, and gone when the daemon is", async () => {
    const eventLoop = new EventLoopDelay(() => false);
    const metrics = new Metrics(await hosts.local.openDirectory(root), {
      eventLoop,
      clients: () => 7,
      jobs: () => 1,
      pools: () => ({ active: 2, inactive: 3 }),
      volumes: () => 11,
    });
    await metrics.write();
    const lines = (await readFile(join(root, "metrics.prom"), "utf8")).split("\n");
    for (const line of ["cistern_clients 7", "cistern_jobs 1", "cistern_pools_active 2", "cistern_pools_inactive 3"]) {
      expect(lines).toContain(line);
    }
    expect(lines).toContain("cistern_volumes 11");
    expect(lines).toContain("# TYPE cistern_event_loop_delay_max_seconds gauge");
    await metrics.stop();
    expect(await readdir(root)).toEqual([]);
  });
});
