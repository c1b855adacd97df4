import { truncateSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { directoryDriver } from "../../dist/drivers/directory.js";
import type { PoolSizes, VolumeOperations } from "../../dist/drivers/driver.js";
import { DAEMON_REQUESTER } from "../../dist/jobs/job-facts.js";
import { DocumentParser } from "../../dist/parsing/parser.js";
import type { Pool } from "../../dist/pools/pool.js";
import { moveAllocation } from "../../dist/pools/sums.js";
import { VolumeCreation } from "../../dist/volumes/creation.js";
import { gate } from "./gate.js";
import { Storage } from "./storage.js";

/** What a pool has and what is free must be what its file system says, whatever is scanned in the middle of what. */

const MIB = 1_048_576n;
const CAPACITY = 100n * MIB;
const TAKEN = 20n * MIB;
const ALLOCATE = 1;

/** The file system, as statvfs would tell of it. */
let takenBytes: bigint;
let storage: Storage;
let pool: Pool;
beforeEach(async () => {
  takenBytes = 30n * MIB;
  storage = await Storage.open();
  writeFileSync(`${storage.directory("images")}/a`, "");
});
afterEach(() => storage.close());

const sizes = (): PoolSizes => ({
  capacityBytes: CAPACITY,
  allocationBytes: takenBytes,
  availableBytes: CAPACITY - takenBytes,
});

/** A pool whose volumes are made and changed by `operations`. */
async function start(
  operations: Partial<VolumeOperations>,
  afterLook: () => Promise<void> = async () => {},
): Promise<void> {
  storage.operations = operations;
  storage.scanning = async (...args) => {
    const scan = { ...(await directoryDriver.scan(...args)), ...sizes() };
    await afterLook();
    return scan;
  };
  storage.measuring = async () => sizes();
  pool = await storage.started("images");
}

const told = (): PoolSizes => {
  const { capacityBytes, allocationBytes, availableBytes } = pool.live;
  return { capacityBytes, allocationBytes, availableBytes };
};

const create = (): Promise<unknown> =>
  new VolumeCreation(storage.pools, storage.volumes, storage.backends, new DocumentParser()).create(
    { name: "images", uuid: pool.uuid },
    `<volume><name>new</name><capacity>${TAKEN}</capacity></volume>`,
    0,
    DAEMON_REQUESTER,
  );

/** Writes half, waits, and writes the other half or fails. */
function inHalves(pass: () => Promise<void>, fails: boolean): Pick<VolumeOperations, "fill" | "refresh" | "resize"> {
  let isResized = false;
  const write = async (): Promise<void> => {
    takenBytes += TAKEN / 2n;
    await pass();
    takenBytes += fails ? -TAKEN / 2n : TAKEN / 2n;
    if (fails) throw new Error("the disk is on fire");
  };
  return {
    fill: async (_pool, document) => {
      await write();
      return { document: { ...document, allocationBytes: TAKEN }, evidence: null };
    },
    resize: async () => {
      await write();
      isResized = true;
    },
    refresh: async (_pool, found) => {
      return { ...found, document: { ...found.document, allocationBytes: isResized ? TAKEN : 0n } };
    },
  };
}

describe.each([
  ["succeeds", false],
  ["fails", true],
] as const)("work that %s", (_, fails) => {
  const works = [
    ["a creation", create],
    ["a resize", () => storage.volumes.resize({ pool: "images", name: "a" }, TAKEN, ALLOCATE, DAEMON_REQUESTER)],
  ] as const;

  it.each(works)("with a scan in its middle is not counted twice (%s)", async (_name, work) => {
    const { reached, open, pass } = gate();
    await start(inHalves(pass, fails));
    const outcome = Promise.allSettled([work()]);
    await reached;
    await storage.scan(pool);
    expect(told()).toEqual(sizes());
    open();
    expect((await outcome)[0]?.status).toBe(fails ? "rejected" : "fulfilled");
    expect(takenBytes).toBe((fails ? 30n : 50n) * MIB);
    expect(told()).toEqual(sizes());
  });

  it.each(works)("and ends before a scan that saw half of it is taken over (%s)", async (_name, work) => {
    const [working, scanning] = [gate(), gate()];
    let isHeld = false;
    await start(inHalves(working.pass, fails), async () => {
      if (isHeld) await scanning.pass();
    });
    isHeld = true;
    const outcome = Promise.allSettled([work()]);
    await working.reached;
    const scan = storage.scan(pool);
    await scanning.reached;
    working.open();
    await outcome;
    scanning.open();
    await scan;
    expect(told()).toEqual(sizes());
  });

  it.each(works)("without any scan is added or not (%s)", async (_name, work) => {
    await start(inHalves(async () => {}, fails));
    storage.measuring = async () => {
      throw new Error("nobody has to look");
    };
    await Promise.allSettled([work()]);
    expect(told()).toEqual(sizes());
    expect(storage.log).toEqual([]);
  });
});

it("a volume that others wrote to takes from its pool what it gives back when it is deleted", async () => {
  truncateSync(storage.path("images", "a"), Number(TAKEN));
  await start({});
  writeFileSync(storage.path("images", "a"), Buffer.alloc(Number(TAKEN), 1));
  takenBytes += TAKEN;
  const { allocationBytes } = await storage.volumes.info({ pool: "images", name: "a" }, 0);
  expect(allocationBytes).toBeGreaterThanOrEqual(TAKEN);
  expect(pool.live.allocationBytes).toBe(30n * MIB + allocationBytes);
  await storage.remove("images", "a");
  takenBytes -= TAKEN;
  expect(told()).toEqual(sizes());
});

it("what volumes give back is never more than there is", async () => {
  await start({});
  moveAllocation(pool, -200n * MIB);
  expect(told()).toEqual({ capacityBytes: CAPACITY, allocationBytes: 0n, availableBytes: CAPACITY });
  moveAllocation(pool, 200n * MIB);
  expect(told()).toEqual({ capacityBytes: CAPACITY, allocationBytes: CAPACITY, availableBytes: 0n });
});
