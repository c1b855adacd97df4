import { execFileSync } from "node:child_process";
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { afterEach, beforeEach, describe, expect, it, type TestContext } from "vitest";
import { missing } from "../../../../tests/support/requirements.ts";
import { directoryDriver } from "../../dist/drivers/directory.js";
import { fileVolumes } from "../../dist/drivers/shared/file-volumes.js";
import { DAEMON_REQUESTER } from "../../dist/jobs/job-facts.js";
import type { Pool } from "../../dist/pools/pool.js";
import type { Volume } from "../../dist/pools/volume.js";
import { directoryOn } from "./directory-on.js";
import { gate } from "./gate.js";
import { Storage } from "./storage.js";

const MIB = 1_048_576;

let storage: Storage;
beforeEach(async () => {
  storage = await Storage.open();
  truncate("a", MIB);
});
afterEach(() => storage.close());

function truncate(name: string, bytes: number): void {
  const path = `${storage.directory("images")}/${name}`;
  writeFileSync(path, "");
  truncateSync(path, bytes);
}

const A = { pool: "images", name: "a" };
const DELTA = 2;

it("a look that a resize overtook does not bring the old capacity back", async () => {
  const pool = await storage.started("images");
  const { reached, open, pass } = gate();
  const refresh = directoryDriver.volumes?.refresh;
  let looks = 0;
  storage.operations = {
    refresh: async (...args) => {
      const seen = await refresh?.(...args);
      // The resize looks, too.
      if (looks++ === 0) await pass();
      if (seen === undefined) throw new Error("the driver looks at volumes");
      return seen;
    },
  };
  const looking = storage.volumes.info(A, 0);
  await reached;
  await storage.volumes.resize(A, BigInt(MIB), DELTA, DAEMON_REQUESTER);
  open();
  expect(await looking).toMatchObject({ capacityBytes: BigInt(2 * MIB) });
  expect(pool.volumes.get("a")?.document.capacityBytes).toBe(BigInt(2 * MIB));
  // What is asked for relative to it is right, then.
  await storage.volumes.resize(A, BigInt(MIB), DELTA, DAEMON_REQUESTER);
  expect(statSync(storage.path("images", "a")).size).toBe(3 * MIB);
});

it("while a volume is written nobody else changes it, and it is free again after a failure", async () => {
  const pool = await storage.started("images");
  const { reached, open, pass } = gate();
  storage.operations = {
    wipe: async () => {
      await pass();
      throw new Error("the disk is on fire");
    },
  };
  const wiping = expect(storage.volumes.wipe(A, 0, 0, DAEMON_REQUESTER)).rejects.toThrow("on fire");
  await reached;
  const inUse = { code: 55, message: expect.stringContaining("volume 'a' is still in use.") };
  await expect(storage.volumes.wipe(A, 0, 0, DAEMON_REQUESTER)).rejects.toMatchObject(inUse);
  await expect(storage.volumes.resize(A, 2n, DELTA, DAEMON_REQUESTER)).rejects.toMatchObject(inUse);
  await expect(storage.remove("images", "a")).rejects.toMatchObject(inUse);
  await expect(storage.pools.destroy({ name: "images", uuid: pool.uuid }, DAEMON_REQUESTER)).rejects.toThrow(
    "pool 'images' has asynchronous jobs running.",
  );
  expect(pool.jobs).toBe(1);
  open();
  await wiping;
  expect(pool.jobs).toBe(0);
  await storage.remove("images", "a");
  expect(pool.volumes.size).toBe(0);
});

it("a scan during a change takes nothing back: neither the new size nor a deletion", async () => {
  truncate("gone", MIB);
  const pool = await storage.started("images");
  const { reached, open, pass } = gate();
  const scanning = directoryDriver.scan;
  storage.scanning = async (...args) => {
    const seen = await scanning(...args);
    await pass();
    return seen;
  };
  const scan = storage.scan(pool);
  await reached;
  await storage.volumes.resize(A, BigInt(5 * MIB), 0, DAEMON_REQUESTER);
  await storage.remove("images", "gone");
  const before = pool.volumes.get("a");
  open();
  await scan;
  expect([...pool.volumes]).toEqual([before]);
  expect(pool.volumes.get("a")).toBe(before);
  expect(before?.document.capacityBytes).toBe(BigInt(5 * MIB));
});

it("in a pool that is being stopped no work is begun, and it goes on if it cannot be stopped", async () => {
  const pool = await storage.started("images");
  const handle = { name: "images", uuid: pool.uuid };
  const { reached, open, pass } = gate();
  storage.stopping = async () => {
    await pass();
    throw new Error("the disk is busy");
  };
  const stopping = expect(storage.pools.destroy(handle, DAEMON_REQUESTER)).rejects.toThrow("busy");
  await reached;
  await expect(storage.volumes.wipe(A, 0, 0, DAEMON_REQUESTER)).rejects.toThrow("storage pool 'images' is not active");
  open();
  await stopping;
  expect(pool.active).toBe(true);
  await storage.volumes.wipe(A, 0, 0, DAEMON_REQUESTER);
});

it("a resize that waits is a promise to guests, which ends with it", async () => {
  const pool = await storage.started("images");
  const { commitments } = storage.backends;
  const { reached, open, pass } = gate();
  let fails = true;
  storage.operations = {
    resize: async (...args) => {
      await pass();
      if (fails) throw new Error("the disk is on fire");
      await directoryDriver.volumes?.resize?.(...args);
    },
  };
  const resizing = storage.volumes.resize(A, BigInt(5 * MIB), 0, DAEMON_REQUESTER);
  await reached;
  expect(commitments.of(pool).promisedBytes).toBe(BigInt(5 * MIB));
  open();
  await expect(resizing).rejects.toThrow("on fire");
  expect(commitments.of(pool).promisedBytes).toBe(BigInt(MIB));
  fails = false;
  await storage.volumes.resize(A, BigInt(5 * MIB), 0, DAEMON_REQUESTER);
  expect(commitments.of(pool).promisedBytes).toBe(BigInt(5 * MIB));
  await storage.volumes.resize(A, BigInt(2 * MIB), 4, DAEMON_REQUESTER);
  expect(commitments.of(pool).promisedBytes).toBe(BigInt(2 * MIB));
});

describe("a full volume in many pieces, of which the file system keeps account in blocks of its own,", () => {
  const SHRINK = 4;
  const BLOCK = 4_096;
  let shrunk: (behind: (fd: number) => void) => Promise<void>;
  const onExt4 = async (context: TestContext): Promise<AsyncDisposable> => {
    const missingProgram = missing({ programs: ["fallocate"] });
    context.skip(missingProgram !== null, missingProgram ?? "");
    rmSync(storage.path("images", "a"));
    const disk = directoryOn("ext4", storage.directory("images"), storage, context);
    const path = storage.path("images", "a");
    writeFileSync(path, "");
    execFileSync("fallocate", ["--length", `${MIB}`, path]);
    const file = openSync(path, "r+");
    for (let offset = 0; offset < MIB; offset += 2 * BLOCK) writeSync(file, Buffer.alloc(BLOCK, 1), 0, BLOCK, offset);
    fsyncSync(file);
    closeSync(file);
    expect(statSync(path).blocks * 512).toBeGreaterThan(MIB);
    await storage.started("images");
    shrunk = async (behind) => {
      await storage.volumes.resize(A, BigInt(4 * MIB), 0, DAEMON_REQUESTER);
      const grown = openSync(path, "r+");
      behind(grown);
      fsyncSync(grown);
      closeSync(grown);
      await storage.volumes.resize(A, BigInt(MIB), SHRINK, DAEMON_REQUESTER);
    };
    return disk;
  };

  it("can be grown and made as small again as it was", async (context) => {
    await using _disk = await onExt4(context);
    await shrunk(() => {});
    expect(statSync(storage.path("images", "a")).size).toBe(MIB);
    await expect(storage.volumes.resize(A, BigInt(MIB / 2), SHRINK, DAEMON_REQUESTER)).rejects.toThrow(
      "can't shrink capacity below existing allocation",
    );
  });

  it("is not cut where something was written or reserved behind", async (context) => {
    await using _disk = await onExt4(context);
    const refused = "can't shrink capacity below existing allocation";
    await expect(shrunk((fd) => writeSync(fd, "x", 3 * MIB))).rejects.toThrow(refused);
    await storage.volumes.resize(A, BigInt(4 * MIB), 0, DAEMON_REQUESTER);
    truncateSync(storage.path("images", "a"), MIB);
    const reserve = ["--offset", `${2 * MIB}`, "--length", `${BLOCK}`, storage.path("images", "a")];
    await expect(shrunk(() => execFileSync("fallocate", reserve))).rejects.toThrow(refused);
    expect(statSync(storage.path("images", "a")).size).toBe(4 * MIB);
  });
});

it("a shrink can be stopped while it looks at what would be cut off", async () => {
  const SHRINK = 4;
  const file = openSync(storage.path("images", "a"), "r+");
  writeSync(file, Buffer.alloc(MIB, 1), 0, MIB, 4 * MIB);
  fsyncSync(file);
  closeSync(file);
  await storage.started("images");
  const { reached, open, pass } = gate();
  let seen: boolean | null = null;
  storage.operations = {
    hasBlocksBehind: async (...args) => {
      await pass();
      seen = await fileVolumes.hasBlocksBehind(...args);
      return seen;
    },
  };
  const shrinking = storage.volumes.resize(A, BigInt(MIB / 2), SHRINK, DAEMON_REQUESTER);
  await reached;
  const [job] = storage.backends.jobs.list();
  expect(job).toMatchObject({ kind: "resize", volume: "a" });
  storage.backends.jobs.cancel(job?.id ?? 0);
  open();
  await expect(shrinking).rejects.toMatchObject({ code: 78 });
  expect(seen).toBeNull();
});

it("of space that is only reserved no job says how fast, and of random bytes each says what they are", async () => {
  const pool = await storage.started("images");
  await storage.create(pool, `<volume><name>b</name><capacity>${MIB}</capacity></volume>`);
  await storage.volumes.resize({ pool: "images", name: "b" }, BigInt(2 * MIB), 1, DAEMON_REQUESTER);
  await storage.volumes.wipe({ pool: "images", name: "b" }, 8, 0, DAEMON_REQUESTER);
  const [create, resize, wipe] = storage.backends.jobs.list({ ended: true });
  expect(create).toMatchObject({ kind: "create", doneBytes: BigInt(MIB), bytesPerSecond: 0 });
  expect(resize).toMatchObject({ kind: "resize", doneBytes: BigInt(2 * MIB), bytesPerSecond: 0 });
  expect(wipe).toMatchObject({ kind: "wipe", way: "overwritten with random bytes" });
  expect(wipe?.bytesPerSecond).toBeGreaterThan(0);
});

it("what a shrink frees, the pool has at once", async () => {
  const SHRINK = 4;
  const path = storage.path("images", "a");
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(MIB, 1), 0, MIB, 4 * MIB);
  fsyncSync(file);
  closeSync(file);
  const pool = await storage.started("images");
  const before = pool.live.allocationBytes;
  await storage.volumes.resize(A, BigInt(2 * MIB), SHRINK, DAEMON_REQUESTER);
  expect(before - pool.live.allocationBytes).toBeGreaterThanOrEqual(BigInt(MIB));
  expect(pool.volumes.get("a")?.document).toMatchObject({ capacityBytes: BigInt(2 * MIB), allocationBytes: 0n });
});

it("guests are asked before what somebody has added since the last look is cut off", async () => {
  const SHRINK = 4;
  await storage.started("images");
  const asked: string[] = [];
  Object.assign(storage.backends.uses, { volume: async (_: Pool, __: Volume, what: string) => void asked.push(what) });
  truncate("a", 8 * MIB);
  await storage.volumes.resize(A, BigInt(4 * MIB), SHRINK, DAEMON_REQUESTER);
  expect(asked).toEqual(["shrink"]);
  await storage.volumes.resize(A, BigInt(6 * MIB), SHRINK, DAEMON_REQUESTER);
  expect(asked).toEqual(["shrink"]);
  truncate("a", 8 * MIB);
  await storage.volumes.resize(A, BigInt(MIB), DELTA | SHRINK, DAEMON_REQUESTER);
  expect(statSync(`${storage.directory("images")}/a`).size).toBe(7 * MIB);
});

it("a volume that is a symlink is followed by whatever comes after a look at it; one that became a symlink is not", async () => {
  const images = storage.directory("images");
  writeFileSync(storage.path("target"), "x".repeat(MIB));
  symlinkSync(storage.path("target"), `${images}/link`);
  await storage.started("images");
  const link = { pool: "images", name: "link" };
  await storage.volumes.info(link, 0);
  await storage.volumes.resize(link, BigInt(MIB), DELTA, DAEMON_REQUESTER);
  expect(statSync(storage.path("target")).size).toBe(2 * MIB);
  // Its own look is a closer one.
  for (let time = 0; time < 2; time++) await storage.volumes.wipe(link, 0, 0, DAEMON_REQUESTER);
  expect(readFileSync(storage.path("target")).equals(Buffer.alloc(2 * MIB))).toBe(true);

  renameSync(`${images}/a`, storage.path("precious"));
  symlinkSync(storage.path("precious"), `${images}/a`);
  await storage.volumes.info(A, 0);
  const refusal = "Too many levels of symbolic links";
  await expect(storage.volumes.resize(A, BigInt(MIB), DELTA, DAEMON_REQUESTER)).rejects.toThrow(refusal);
  expect(statSync(storage.path("precious")).size).toBe(MIB);
});
