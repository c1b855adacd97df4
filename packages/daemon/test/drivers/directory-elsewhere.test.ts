import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fuseRequirements, mountFuse } from "../../../../tests/support/fuse.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import { directoryDriver } from "../../dist/drivers/directory.js";
import { Hosts } from "../../dist/host/index.js";
import { hopsOf } from "../host/hops.js";
import { timesOpen } from "../host/support.js";
import { qemuImg } from "../images/shared.js";
import { pool } from "./documents.js";
import { Laboratory, scan } from "./laboratory.js";

let laboratory: Laboratory;
let images: string;
beforeEach(() => {
  laboratory = new Laboratory();
  images = laboratory.path("images");
  mkdirSync(images);
});
afterEach(() => laboratory.close());

test("a symlink to storage that does not answer is passed over; the pool's own volumes are there", async (context) => {
  const reason = missing(fuseRequirements);
  context.skip(reason !== null, reason ?? "");
  mkdirSync(laboratory.path("source"));
  mkdirSync(laboratory.path("mounted"));
  writeFileSync(laboratory.path("source", "far"), "x");
  writeFileSync(laboratory.path("images", "near"), "x");
  symlinkSync(laboratory.path("mounted", "far"), laboratory.path("images", "link"));
  const hosts = new Hosts({ remoteTimeoutMs: 300 });
  const names = async () => {
    const { volumes } = await scan(directoryDriver, pool("dir", images), hosts.local);
    return volumes.map(({ document }) => document.name).sort();
  };
  const mount = await mountFuse(laboratory.path("source"), laboratory.path("mounted"));
  try {
    expect(await names()).toEqual(["link", "near"]);
    mount.hang();
    expect(await names()).toEqual(["near"]);
  } finally {
    mount.recover();
    await hosts.close();
    await mount.unmount();
  }
});

test("a look at a volume that was scanned and not touched costs one trip to other threads", async () => {
  qemuImg("create", "-q", "-f", "qcow2", laboratory.path("images", "v.qcow2"), "1M");
  // A change that recent would be no evidence.
  await delay(50);
  const definition = pool("dir", images);
  const [found] = (await scan(directoryDriver, definition, laboratory.host)).volumes;
  if (found === undefined || found.evidence === null) throw new Error("the scan saw nothing it can trust");
  const look = async () => {
    const host = await laboratory.hosts.forPath(images);
    return directoryDriver.volumes?.refresh?.(definition, found, false, host);
  };
  await look();
  expect(await hopsOf(look)).toBe(1);
  expect((await look())?.document.capacityBytes).toBe(1n << 20n);
});

test("a pool that was stopped or built keeps nothing open: its file system can be unmounted", async () => {
  const definition = pool("dir", images);
  await scan(directoryDriver, definition, laboratory.host);
  // The scan may have taken longer than a directory is remembered.
  await (await laboratory.hosts.local.openDirectory(images)).close();
  expect(timesOpen(images)).toBe(1);
  await directoryDriver.stop?.(definition, laboratory.host, { ...laboratory.poolContext, made: [] });
  expect(timesOpen(images)).toBe(0);
  await directoryDriver.build?.(definition, laboratory.host, 0);
  expect(timesOpen(images)).toBe(0);
});
