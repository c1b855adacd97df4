import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { directoryDriver } from "../../dist/drivers/directory.js";
import { DAEMON_REQUESTER } from "../../dist/jobs/job-facts.js";
import { restorePools } from "../../dist/pools/startup.js";
import { Storage } from "../volumes/storage.js";

let storage: Storage;
beforeEach(async () => {
  storage = await Storage.open();
});
afterEach(() => storage.close());

const define = (name: string) =>
  storage.pools.define(
    `<pool type='dir'><name>${name}</name><target><path>${storage.directory(name)}</path></target></pool>`,
    0,
  );

it("a pool whose storage starts but cannot be scanned is what it was: its document, and nothing that it made", async () => {
  const pool = await define("p");
  const before = pool.live;
  const stopped: (readonly string[])[] = [];
  storage.starting = async (document) => ({ made: ["a session"], pool: { ...document, capacityBytes: 1n } });
  storage.stopping = async (_pool, _host, { made }) => void stopped.push(made);
  storage.scanning = () => Promise.reject(new Error("the scan failed"));
  await expect(storage.pools.create(pool, 0, DAEMON_REQUESTER)).rejects.toThrow("the scan failed");
  expect({ active: pool.active, live: pool.live, made: pool.made }).toEqual({ active: false, live: before, made: [] });
  expect(stopped).toEqual([["a session"]]);
});

it("what a start made is told to the stop, and the document that it gave is shown while the pool runs", async () => {
  const pool = await define("p");
  const stopped: (readonly string[])[] = [];
  storage.starting = async (document) => ({ made: ["a session"], pool: { ...document, copyOnWrite: false } });
  storage.stopping = async (_pool, _host, { made }) => void stopped.push(made);
  await storage.pools.create(pool, 0, DAEMON_REQUESTER);
  expect(pool.live.copyOnWrite).toBe(false);
  expect(await storage.backends.store.loadStates()).toMatchObject([{ made: ["a session"] }]);
  await storage.pools.destroy(pool, DAEMON_REQUESTER);
  expect(stopped).toEqual([["a session"]]);
  expect(await storage.backends.store.loadStates()).toEqual([]);
});

it("what an earlier daemon left in a pool is undone when its storage is there, before anybody can use it", async () => {
  const pool = await define("p");
  const steps: string[] = [];
  storage.starting = async () => {
    steps.push("start");
    return { made: [] };
  };
  storage.scanning = (...args) => {
    steps.push("scan");
    return directoryDriver.scan(...args);
  };
  storage.undoInterrupted = async ({ name }) => void steps.push(`undo in ${name}, active: ${pool.active}`);
  await storage.pools.create(pool, 0, DAEMON_REQUESTER);
  expect(steps.splice(0)).toEqual(["start", "undo in p, active: false", "scan"]);
  await storage.pools.refresh(pool, 0, DAEMON_REQUESTER);
  expect(steps.splice(0)).toEqual(["scan"]);
  // Its storage answers at last.
  pool.isUnseen = true;
  await storage.pools.refresh(pool, 0, DAEMON_REQUESTER);
  expect(steps.splice(0)).toEqual(["undo in p, active: true", "scan"]);
});

describe("a daemon that stops leaves a pool as it is", () => {
  let stopped: string[];
  beforeEach(() => {
    stopped = [];
    storage.stopping = async ({ name }) => void stopped.push(name);
  });

  /** A scan that lasts until the daemon stops, and the one thing that is known of it then: it was given up. */
  function scanUntilStopped(of: Storage): Promise<void> {
    return new Promise((begun) => {
      of.scanning = async (...args) => {
        begun();
        const { signal } = of.stoppingDaemon;
        if (!signal.aborted) await once(signal, "abort");
        return directoryDriver.scan(...args);
      };
    });
  }

  it.each(["under way", "to be begun"])("whose scan after an upload is %s", async (when) => {
    const pool = await define("p");
    await storage.pools.create(pool, 0, DAEMON_REQUESTER);
    const scanning = scanUntilStopped(storage);
    if (when === "to be begun") storage.stoppingDaemon.abort();
    storage.pools.refreshAfterUpload(pool);
    if (when === "under way") await scanning;
    storage.stoppingDaemon.abort();
    await pool.settling;
    expect({ active: pool.active, stopped }).toEqual({ active: true, stopped: [] });
    expect(await storage.backends.store.loadStates()).toHaveLength(1);
  });

  it("that it is still looking at since its own beginning", async () => {
    await storage.pools.create(await define("p"), 0, DAEMON_REQUESTER);
    const next = await Storage.open(storage.laboratory);
    next.stopping = async ({ name }) => void stopped.push(name);
    const scanning = scanUntilStopped(next);
    const restoring = restorePools(next.registry, next.backends, next.autostart, () => {});
    await scanning;
    next.stoppingDaemon.abort();
    await restoring;
    expect({ active: next.registry.findByName("p")?.active, stopped }).toEqual({ active: true, stopped: [] });
    expect(await next.backends.store.loadStates()).toHaveLength(1);
  });
});
