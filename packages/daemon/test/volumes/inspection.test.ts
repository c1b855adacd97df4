import { linkSync, mkdirSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { directoryDriver } from "../../dist/drivers/directory.js";
import { ExpectedSpace } from "../../dist/drivers/expected-space.js";
import { Jobs } from "../../dist/jobs/jobs.js";
import { DocumentParser } from "../../dist/parsing/parser.js";
import { scanInto } from "../../dist/pools/activation.js";
import { Autostart } from "../../dist/pools/autostart.js";
import { PoolCommitments } from "../../dist/pools/commitment.js";
import { PoolEvents } from "../../dist/pools/events.js";
import { Pool } from "../../dist/pools/pool.js";
import { Pools } from "../../dist/pools/pools.js";
import { PoolRegistry } from "../../dist/pools/registry.js";
import { PoolStore } from "../../dist/pools/store.js";
import { UNGUARDED } from "../../dist/pools/use-guard.js";
import { VolumeLeases } from "../../dist/pools/volume-leases.js";
import { Inspection } from "../../dist/volumes/inspection.js";
import { NO_DEFAULTS } from "../../dist/volumes/policy.js";
import type { VolumeInspection } from "../../dist/volumes/volume-inspection.js";
import { Volumes } from "../../dist/volumes/volumes.js";
import type { VolumeBackends } from "../../dist/volumes/work.js";
import { pool as poolDocument } from "../drivers/documents.js";
import { Laboratory } from "../drivers/laboratory.js";
import { qemuImg } from "../images/shared.js";

let laboratory: Laboratory;
let registry: PoolRegistry;
let backends: VolumeBackends;
let inspection: Inspection;
beforeEach(async () => {
  laboratory = new Laboratory();
  registry = new PoolRegistry();
  const { secret, privateDirectory } = await laboratory.context();
  const places = { definitions: "/nowhere", autostart: "/nowhere", state: "/nowhere" };
  backends = {
    store: new PoolStore(laboratory.host, places, () => {}),
    jobs: new Jobs(),
    report: { problem: () => {}, news: () => {} },
    stopping: new AbortController().signal,
    driverOf: () => directoryDriver,
    hasDriver: () => true,
    poolSecret: (lookup) => secret(lookup),
    uses: UNGUARDED,
    undoInterrupted: async () => {},
    hostOf: async () => laboratory.host,
    hostAt: async () => laboratory.host,
    policy: {
      defaultsOf: () => NO_DEFAULTS,
      deletesBackingStores: false,
      sharesBlocks: true,
    },
    leases: new VolumeLeases(),
    commitments: new PoolCommitments({ warnRatio: () => null, refuseRatio: () => null }, () => {}),
    expectedSpace: new ExpectedSpace(),
    secret,
    privateDirectory,
  };
  const events = new PoolEvents();
  const autostart = new Autostart(registry, backends, events);
  const pools = new Pools(registry, backends, new DocumentParser(), events, autostart);
  inspection = new Inspection(pools, new Volumes(pools, backends), backends);
});
afterEach(() => laboratory.close());

test("a volume's image and chain, each link with the pool and volume that it is", async () => {
  const [bases, work] = [directory("bases"), directory("work")];
  qemuImg("create", "-q", "-f", "raw", `${bases}/raw.img`, "1M");
  qemuImg("create", "-q", "-f", "qcow2", "-b", `${bases}/raw.img`, "-F", "raw", `${bases}/base.qcow2`);
  qemuImg("create", "-q", "-f", "qcow2", "-b", "../bases/base.qcow2", "-F", "qcow2", `${work}/disk.qcow2`);
  qemuImg("snapshot", "-c", "before the change", `${work}/disk.qcow2`);
  await started("bases", bases);
  await started("work", work);
  const seen = await inspection.inspect({ pool: "work", name: "disk.qcow2" });
  expect(seen).toMatchObject({ pool: "work", volume: "disk.qcow2", isComplete: true });
  expect(seen.image?.qcow2?.snapshots.listed).toMatchObject([{ name: "before the change" }]);
  expect(links(seen)).toEqual([
    ["work", "disk.qcow2", "qcow2", "recorded", []],
    ["bases", "base.qcow2", "qcow2", "declared", []],
    ["bases", "raw.img", "raw", "declared", []],
  ]);
});

test("what leads out of all active pools is told; a pool that stopped is none of them", async () => {
  const [bases, work] = [directory("bases"), directory("work")];
  qemuImg("create", "-q", "-f", "qcow2", `${bases}/base`, "1M");
  qemuImg("create", "-q", "-f", "qcow2", "-b", `${bases}/base`, "-F", "qcow2", `${work}/disk`);
  await started("work", work);
  const pool = await started("bases", bases);
  expect(links(await inspect("work", "disk"))[1]).toEqual(["bases", "base", "qcow2", "declared", []]);
  pool.active = false;
  expect(links(await inspect("work", "disk"))[1]).toEqual([null, null, "qcow2", "declared", ["outside"]]);
});

test("a guest that writes a header into its raw disk has no file opened", async () => {
  const work = directory("work");
  writeFileSync(`${work}/disk`, Buffer.alloc(1_048_576));
  const pool = await started("work", work);
  qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", "/etc/shadow", "-F", "raw", `${work}/header`, "1M");
  await using file = await laboratory.host.openFile(`${work}/disk`, "write");
  await using header = await laboratory.host.openFile(`${work}/header`, "read");
  await file.write(0n, await header.read(0n, 65_536));
  expect(pool.volumes.get("disk")?.document.target.format).toBe("raw");
  const seen = await inspect("work", "disk");
  expect(seen).toMatchObject({ image: null, isComplete: true });
  expect(links(seen)).toEqual([["work", "disk", "raw", "recorded", []]]);
});

test("a chain that leads back to the volume by another name", async () => {
  const work = directory("work");
  qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", "two", "-F", "qcow2", `${work}/one`, "1M");
  linkSync(`${work}/one`, `${work}/two`);
  await started("work", work);
  const seen = await inspect("work", "one");
  expect(links(seen)[1]).toEqual(["work", "two", "qcow2", "declared", ["cycle"]]);
  expect(seen.isComplete).toBe(false);
});

test("a directory is no image and rests on nothing", async () => {
  const work = directory("work");
  mkdirSync(`${work}/inside`);
  await started("work", work);
  expect(await inspect("work", "inside")).toMatchObject({ image: null, chain: [], isComplete: true });
});

test("a volume that went meanwhile is told as missing; one that never was is libvirt's error", async () => {
  const work = directory("work");
  writeFileSync(`${work}/disk`, "x");
  const pool = await started("work", work);
  await using opened = await laboratory.host.openDirectory(work);
  await opened.removeFile("disk");
  expect(links(await inspect("work", "disk"))).toEqual([["work", "disk", "raw", "recorded", ["missing"]]]);
  await expect(inspect("work", "other")).rejects.toThrow("no storage vol with matching name 'other'");
  const volume = pool.volumes.get("disk");
  if (volume !== undefined) volume.building = true;
  await expect(inspect("work", "disk")).rejects.toThrow("volume 'disk' is still being allocated.");
});

function directory(name: string): string {
  const path = laboratory.path(name);
  mkdirSync(path);
  return path;
}

let count = 0;

async function started(name: string, path: string): Promise<Pool> {
  const uuid = `0b718b1e-db3c-4879-af59-${String(++count).padStart(12, "0")}`;
  const pool = new Pool({ ...poolDocument("dir", path), name, uuid });
  registry.add(pool);
  await scanInto(pool, backends);
  pool.active = true;
  return pool;
}

function inspect(pool: string, name: string): Promise<VolumeInspection> {
  return inspection.inspect({ pool, name });
}

/** Of each link: pool, volume, format, where that came from, kinds of problems. */
function links({ chain }: VolumeInspection) {
  return chain.map(({ inside, format, formatOrigin, problems }) => [
    inside?.pool ?? null,
    inside?.volume ?? null,
    format,
    formatOrigin,
    problems.map(({ kind }) => kind),
  ]);
}
