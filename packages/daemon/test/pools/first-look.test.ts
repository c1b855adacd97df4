import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { ErrorDomain, LibvirtError } from "@cistern/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { directoryDriver } from "../../dist/drivers/directory.js";
import { DAEMON_REQUESTER } from "../../dist/jobs/job-facts.js";
import { lookUntilSeen } from "../../dist/pools/first-look.js";
import type { Pool } from "../../dist/pools/pool.js";
import { restorePools } from "../../dist/pools/startup.js";
import { Storage } from "../volumes/storage.js";

const ENOENT = 2;
const ETIMEDOUT = 110;
const PAUSES = { firstMs: 50, longestMs: 50 };

describe("a pool that was running, of a storage that gives no answer when the daemon begins", () => {
  let before: Storage;
  let storage: Storage;
  let silent: boolean;
  const looks: Promise<void>[] = [];

  beforeEach(async () => {
    before = await Storage.open();
    mkdirSync(before.path("images"));
    writeFileSync(before.path("images/a.img"), "content");
    const xml = `<pool type='dir'><name>images</name><target><path>${before.path("images")}</path></target></pool>`;
    const pool = await before.pools.define(xml, 0);
    await before.pools.create(pool, 0, DAEMON_REQUESTER);
    storage = await Storage.open(before.laboratory);
    silent = true;
    storage.scanning = async (...args) => {
      if (!silent) return directoryDriver.scan(...args);
      throw LibvirtError.system(ErrorDomain.STORAGE, ETIMEDOUT, "cannot look");
    };
  });
  afterEach(async () => {
    storage.stoppingDaemon.abort();
    await Promise.all(looks.splice(0));
    await storage.close();
  });

  const restored = async (): Promise<Pool> => {
    await restorePools(storage.registry, storage.backends, storage.autostart, (pool) => {
      const refresh = () => storage.pools.refresh(pool, 0, DAEMON_REQUESTER);
      looks.push(lookUntilSeen(pool, refresh, storage.backends.stopping, PAUSES));
    });
    const pool = storage.registry.findByName("images");
    if (pool === undefined || pool === null) throw new Error("it is not there");
    return pool;
  };
  const names = (pool: Pool): string[] => [...pool.volumes].map(({ name }) => name);

  it("is looked at again until it does, which clients are told", async () => {
    const pool = await restored();
    expect([pool.active, pool.isUnseen, names(pool)]).toEqual([true, true, []]);
    const events: string[] = [];
    storage.events.listen(({ kind }) => events.push(kind));
    await sleep(4 * PAUSES.firstMs);
    expect([pool.active, names(pool), events]).toEqual([true, [], []]);
    silent = false;
    await Promise.all(looks);
    expect([pool.active, pool.isUnseen, names(pool), events]).toEqual([true, false, ["a.img"], ["refresh"]]);
  });

  it("keeps what its volumes may be built on from being deleted, until it was looked at or is stopped", async () => {
    const pool = await restored();
    mkdirSync(storage.path("bases"));
    for (const name of ["b.img", "c.img", "d.img"]) writeFileSync(storage.path("bases", name), "content");
    silent = false;
    await storage.started("bases");
    silent = true;
    const refused = {
      code: 55,
      message: expect.stringContaining("may be the backing store of volumes in pool 'images'"),
    };
    await expect(storage.remove("bases", "b.img")).rejects.toMatchObject(refused);
    expect(storage.registry.findByName("bases")?.volumes.get("b.img")?.lease.isHeld).toBe(false);
    storage.deletesBackingStores = true;
    await storage.remove("bases", "b.img");
    storage.deletesBackingStores = false;

    silent = false;
    await storage.pools.refresh(pool, 0, DAEMON_REQUESTER);
    await storage.remove("bases", "c.img");
    pool.isUnseen = true;
    await storage.pools.destroy(pool, DAEMON_REQUESTER);
    await storage.remove("bases", "d.img");
    expect(existsSync(storage.path("bases/d.img"))).toBe(false);
  });

  it("is unknown from the daemon's beginning, and not only when it gave no answer", async () => {
    let restoring: Promise<void> = Promise.resolve();
    const looking = new Promise<boolean | undefined>((seen) => {
      storage.scanning = (...args) => {
        seen(storage.registry.findByName("images")?.isUnseen);
        return directoryDriver.scan(...args);
      };
      restoring = restorePools(storage.registry, storage.backends, storage.autostart, () => {});
    });
    expect(await looking).toBe(true);
    await restoring;
    expect(storage.registry.findByName("images")).toMatchObject({ active: true, isUnseen: false });
  });

  it("is left alone when an administrator has looked, or has stopped it", async () => {
    const pool = await restored();
    silent = false;
    await storage.pools.refresh(pool, 0, DAEMON_REQUESTER);
    const jobs = storage.backends.jobs.list({ ended: true }).length;
    await Promise.all(looks);
    expect(storage.backends.jobs.list({ ended: true })).toHaveLength(jobs);

    pool.isUnseen = true;
    await storage.pools.destroy(pool, DAEMON_REQUESTER);
    expect(pool.isUnseen).toBe(false);
  });

  it("is stopped when there is another reason, as by any refresh", async () => {
    const pool = await restored();
    storage.scanning = async () => {
      throw LibvirtError.system(ErrorDomain.STORAGE, ENOENT, "cannot look");
    };
    await Promise.all(looks);
    expect(pool.active).toBe(false);
  });
});
