import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { LibvirtError } from "@cistern/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DAEMON_REQUESTER } from "../../dist/jobs/job-facts.js";
import { pauseBefore } from "../../dist/pools/autostart.js";
import type { Pool } from "../../dist/pools/pool.js";
import { reloadPools, restorePools } from "../../dist/pools/startup.js";
import { Storage } from "../volumes/storage.js";

const PATIENCE_MS = 10_000;
/** Short enough to be waited for, and long enough to look in between. */
const QUICK = { firstMs: 100, longestMs: 100 };

let storage: Storage;
const open: Storage[] = [];
beforeEach(async () => {
  storage = await start();
});
afterEach(async () => {
  for (const each of open.splice(0)) each.stoppingDaemon.abort();
  await storage.close();
});

/** A daemon of the same boot, that finds what `before` left. */
async function start(before?: Storage): Promise<Storage> {
  const next = await Storage.open(before?.laboratory);
  next.pauses = QUICK;
  open.push(next);
  return next;
}

/** A pool that is to be started by itself, of a directory that is not there. */
async function define(name = "late"): Promise<Pool> {
  const path = storage.path(name);
  const xml = `<pool type='dir'><name>${name}</name><target><path>${path}</path></target></pool>`;
  const pool = await storage.pools.define(xml, 0);
  await storage.pools.setAutostart(pool, true);
  return pool;
}

/** What the daemon does when it starts. */
async function boot(of = storage): Promise<void> {
  await restorePools(of.registry, of.backends, of.autostart, () => {});
}

async function eventually(what: string, isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`it did not come about: ${what}`);
    await sleep(5);
  }
}

const owedFile = (): string => storage.path("state/run/late.autostart.json");
const starts = (of = storage): number => of.backends.jobs.list({ ended: true }).length;

describe("a pool whose directory is not there when it is to be started", () => {
  it("is started when the directory appears, is told about, and is a job at each attempt", async () => {
    const events: string[] = [];
    storage.events.listen(({ kind, pool }) => events.push(`${kind} ${pool.name}`));
    const pool = await define();
    events.length = 0;
    const beforeMs = Date.now();
    await boot();
    expect(pool.active).toBe(false);
    const failure = storage.autostart.failureOf(pool);
    expect(failure?.attempts).toBe(1);
    expect(failure?.error).toMatchObject({
      code: 38,
      message: `cannot open directory '${storage.path("late")}': No such file or directory`,
    });
    expect(failure?.lastAttemptAt.getTime()).toBeGreaterThanOrEqual(beforeMs);
    expect(failure?.nextAttemptAt?.getTime()).toBeGreaterThan(beforeMs);
    expect(existsSync(owedFile())).toBe(true);

    await eventually("a third attempt", () => (storage.autostart.failureOf(pool)?.attempts ?? 0) >= 3);
    expect(pool.active).toBe(false);
    mkdirSync(storage.path("late"));
    writeFileSync(storage.path("late/a.img"), "content");
    await eventually("the pool runs", () => pool.active);
    await eventually("nothing is owed", () => !existsSync(owedFile()));
    expect([...pool.volumes].map(({ name }) => name)).toEqual(["a.img"]);
    expect(storage.autostart.failureOf(pool)).toBeNull();
    expect(events).toEqual(["started late"]);
    const jobs = storage.backends.jobs.list({ ended: true });
    expect(new Set(jobs.map(({ title, requester }) => `${title} ${requester.door}`))).toEqual(
      new Set(["start pool 'late' daemon"]),
    );
    expect(jobs.map(({ state }) => state)).toEqual([...jobs.slice(1).map(() => "failed"), "done"]);
    expect(storage.log[0]).toMatch(/^autostart late: cannot open directory '.*late': No such file or directory$/);
    expect(storage.log[1]).toBe("pool 'late' is tried again in 0 s");
    expect(storage.log.at(-1)).toBe(`pool 'late' was started at attempt ${jobs.length}`);

    const attempts = starts();
    await sleep(3 * QUICK.longestMs);
    expect(starts()).toBe(attempts);
  });

  it.each([
    ["it is stopped", (pool: Pool) => storage.pools.destroy(pool, DAEMON_REQUESTER), "is no longer tried again"],
    ["its autostart is switched off", (pool: Pool) => storage.pools.setAutostart(pool, false), null],
    ["it is undefined", (pool: Pool) => storage.pools.undefine(pool), null],
    [
      "the setting is switched off",
      async () => {
        storage.pauses = { ...QUICK, longestMs: null };
      },
      null,
    ],
  ])("is left alone once %s", async (_what, act, refusal) => {
    const pool = await define();
    await boot();
    if (refusal === null) await act(pool);
    else await expect(act(pool)).rejects.toMatchObject({ code: 55, message: expect.stringContaining(refusal) });
    await eventually("nothing is owed", () => storage.autostart.failureOf(pool) === null && !existsSync(owedFile()));
    mkdirSync(storage.path("late"));
    const attempts = starts();
    await sleep(3 * QUICK.longestMs);
    expect({ active: pool.active, attempts: starts() }).toEqual({ active: false, attempts });
  });

  it("is not tried again after somebody started it, also not when it is stopped then", async () => {
    const pool = await define();
    storage.pauses = { firstMs: 300, longestMs: 300 };
    await boot();
    mkdirSync(storage.path("late"));
    await storage.pools.create(pool, 0, DAEMON_REQUESTER);
    expect(existsSync(owedFile())).toBe(false);
    await storage.pools.destroy(pool, DAEMON_REQUESTER);
    await sleep(700);
    expect(pool.active).toBe(false);
  });

  it("goes on being tried when somebody tried to start it in vain", async () => {
    const pool = await define();
    await boot();
    await expect(storage.pools.create(pool, 0, DAEMON_REQUESTER)).rejects.toMatchObject({ code: 38 });
    mkdirSync(storage.path("late"));
    await eventually("the pool runs", () => pool.active);
  });

  it("is tried once where retrying is switched off, as with libvirt", async () => {
    storage.pauses = { ...QUICK, longestMs: null };
    const pool = await define();
    await boot();
    expect(storage.autostart.failureOf(pool)).toBeNull();
    expect(storage.log).toEqual([expect.stringMatching(/^autostart late: /)]);
    mkdirSync(storage.path("late"));
    await sleep(300);
    expect(pool.active).toBe(false);
  });

  it("is tried at once by SIGHUP", async () => {
    storage.pauses = { firstMs: 60_000, longestMs: 60_000 };
    const pool = await define();
    await boot();
    await reloadPools(storage.registry, storage.backends, storage.autostart);
    expect(storage.autostart.failureOf(pool)?.attempts).toBe(2);
    mkdirSync(storage.path("late"));
    await reloadPools(storage.registry, storage.backends, storage.autostart);
    expect(pool.active).toBe(true);
    expect(existsSync(owedFile())).toBe(false);
  });
});

describe("a daemon that is started anew within one boot", () => {
  it("goes on trying what is owed, with the number of attempts", async () => {
    await define();
    await boot();
    storage.stoppingDaemon.abort();
    const attempts = storage.autostart.failureOf(storage.registry.byName("late"))?.attempts ?? 0;
    const next = await start(storage);
    await boot(next);
    const pool = next.registry.byName("late");
    expect(next.autostart.failureOf(pool)?.attempts).toBe(attempts + 1);
    mkdirSync(storage.path("late"));
    await eventually("the pool runs, and nothing is owed", () => pool.active && !existsSync(owedFile()));
  });

  it("finishes an autostart over which the last one died", async () => {
    // Both as the dying daemon leaves them: due, and not tried yet.
    const pool = await define();
    await storage.autostart.owe(pool);
    await storage.backends.store.markAutostart();
    mkdirSync(storage.path("late"));
    const next = await start(storage);
    await boot(next);
    expect(next.registry.byName("late").active).toBe(true);
    expect(existsSync(owedFile())).toBe(false);
  });

  it("does not start what an administrator stopped, nor what owed nothing", async () => {
    const waiting = await define();
    await boot();
    await expect(storage.pools.destroy(waiting, DAEMON_REQUESTER)).rejects.toMatchObject({ code: 55 });
    storage.stoppingDaemon.abort();
    const next = await start(storage);
    await boot(next);
    const pool = next.registry.byName("late");
    mkdirSync(storage.path("late"));
    await sleep(3 * QUICK.longestMs);
    expect({ active: pool.active, attempts: starts(next) }).toEqual({ active: false, attempts: 0 });
  });

  it("does not take a pool for the one of its name that owed a start", async () => {
    const waiting = await define();
    await storage.backends.store.markAutostart();
    await storage.backends.store.saveOwedStart({ name: waiting.name, uuid: crypto.randomUUID() }, 3);
    const next = await start(storage);
    await boot(next);
    expect(starts(next)).toBe(0);
    expect(existsSync(owedFile())).toBe(false);
  });
});

describe("an attempt at a source that does not answer", () => {
  /** Until it is given up. */
  function hang(): void {
    storage.starting = (_pool, _host, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
  }

  it.each([
    ["undefining", (pool: Pool) => storage.pools.undefine(pool)],
    ["switching off", (pool: Pool) => storage.pools.setAutostart(pool, false)],
    ["stopping", (pool: Pool) => storage.pools.destroy(pool, DAEMON_REQUESTER).catch(() => {})],
  ])("does not keep %s waiting", async (_what, act) => {
    const pool = await define();
    hang();
    const booting = boot();
    await eventually("an attempt", () => pool.starting);
    const beforeMs = performance.now();
    await act(pool);
    expect(performance.now() - beforeMs).toBeLessThan(2_000);
    await booting;
    expect(pool.starting).toBe(false);
    expect(storage.autostart.failureOf(pool)).toBeNull();
    expect(existsSync(owedFile())).toBe(false);
    expect(storage.backends.jobs.list()).toEqual([]);
  });

  it("ends with the daemon, and is owed to the next one", async () => {
    const pool = await define();
    hang();
    const booting = boot();
    await eventually("an attempt", () => pool.starting);
    storage.stoppingDaemon.abort(new LibvirtError(78, 18, "the daemon is stopping"));
    await booting;
    expect(existsSync(owedFile())).toBe(true);
    expect(storage.log).toEqual([]);
  });
});

it("pauses double from the first to the longest, a fifth shorter or longer", () => {
  const pauses = { firstMs: 2_000, longestMs: 60_000 };
  const at = (attempt: number, random: number): number => pauseBefore(attempt, pauses, random);
  expect([2, 3, 4, 5, 6, 7, 100].map((attempt) => at(attempt, 0.5))).toEqual([
    2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000,
  ]);
  expect([at(2, 0), at(2, 1), at(100, 0), at(100, 1)].map(Math.round)).toEqual([1_600, 2_400, 48_000, 72_000]);
});
