import { afterEach, beforeEach, expect, it } from "vitest";
import { DAEMON_REQUESTER } from "../../dist/jobs/job-facts.js";
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
