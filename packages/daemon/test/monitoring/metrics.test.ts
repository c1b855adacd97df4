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
    const delay = new EventLoopDelay();
    delay.start();
    await sleep(50);
    hold(120);
    await sleep(20);
    expect(delay.maxMs).toBeGreaterThan(100);
    delay.reset();
    await sleep(50);
    expect(delay.maxMs).toBeLessThan(100);
    delay.stop();
  });
});

describe("metrics", () => {
  it("are written in Prometheus' form, and gone when the daemon is", async () => {
    const eventLoop = new EventLoopDelay();
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
