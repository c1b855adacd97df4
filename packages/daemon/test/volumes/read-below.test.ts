import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DAEMON_REQUESTER } from "../../dist/jobs/job-facts.js";
import type { Pool } from "../../dist/pools/pool.js";
import { qemuImg } from "../images/shared.js";
import { gate } from "./gate.js";
import { Storage } from "./storage.js";

let storage: Storage;
let images: string;
let alias: string;
beforeEach(async () => {
  storage = await Storage.open();
  images = storage.directory("images");
  alias = storage.path("alias");
  symlinkSync("images", alias);
  writeFileSync(`${images}/base.raw`, Buffer.alloc(1_048_576, "content"));
});
afterEach(() => storage.close());

const overlay = (path: string, backing: string, format: string) =>
  qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", backing, "-F", format, path, "1M");
const wipe = (name: string) => storage.volumes.wipe({ pool: "images", name }, 0, 0, DAEMON_REQUESTER);
const clone = (pool: Pool, source: string) =>
  storage.clone(pool, source, "<volume><name>copy</name><capacity>1</capacity></volume>");
const inUse = { code: 55, message: "Requested operation is not valid: volume 'base.raw' is still in use." };

/** Nothing that a clone does is done; what it asked for stays used until the gate opens. */
async function reading(pool: Pool, source: string) {
  const { reached, open, pass } = gate();
  storage.operations = {
    fill: async () => {
      await pass();
      throw new Error("seen enough");
    },
  };
  const cloning = expect(clone(pool, source)).rejects.toThrow("seen enough");
  await reached;
  return async (): Promise<void> => {
    open();
    await cloning;
  };
}

describe.each([
  {
    title: "by a symlink to the pool's directory",
    build: () => overlay(`${images}/top.qcow2`, `${alias}/base.raw`, "raw"),
  },
  {
    title: "through an image that lies in no pool",
    build: () => {
      const outside = storage.directory("outside");
      overlay(`${outside}/middle.qcow2`, `${alias}/base.raw`, "raw");
      overlay(`${images}/top.qcow2`, `${outside}/middle.qcow2`, "qcow2");
    },
  },
  {
    title: "through a file that is linked into no pool",
    build: () => {
      symlinkSync(`${images}/base.raw`, storage.path("shortcut"));
      overlay(`${images}/top.qcow2`, storage.path("shortcut"), "raw");
    },
  },
])("of a volume that rests on another $title", ({ build }) => {
  let pool: Pool;
  beforeEach(async () => {
    build();
    pool = await storage.started("images");
  });

  it("a clone reads that one as well, which is not wiped meanwhile", async () => {
    const end = await reading(pool, "top.qcow2");
    await expect(wipe("base.raw")).rejects.toMatchObject(inUse);
    await end();
    await wipe("base.raw");
  });

  it("no clone is made while that one is wiped", async () => {
    const { reached, open, pass } = gate();
    storage.operations = { wipe: () => pass() };
    const wiping = wipe("base.raw");
    await reached;
    await expect(clone(pool, "top.qcow2")).rejects.toMatchObject(inUse);
    expect(pool.volumes.get("top.qcow2")?.lease.isHeld).toBe(false);
    open();
    await wiping;
    expect(readdirSync(images)).not.toContain("copy");
  });
});

it("a backing store that was exchanged in the image since the last scan is the one that is read", async () => {
  overlay(`${images}/top.qcow2`, `${images}/old.raw`, "raw");
  writeFileSync(`${images}/old.raw`, Buffer.alloc(1_048_576));
  const pool = await storage.started("images");
  qemuImg("rebase", "-u", "-b", `${images}/base.raw`, "-F", "raw", `${images}/top.qcow2`);
  const end = await reading(pool, "top.qcow2");
  await expect(wipe("base.raw")).rejects.toMatchObject(inUse);
  await end();
});

it.each([
  { what: "is missing", backing: () => "/nowhere/base.raw" },
  { what: "is no file", backing: () => images },
  { what: "is of another machine", backing: () => "nbd://127.0.0.1:1/base" },
])("a backing store that $what keeps no clone from being tried", async ({ backing }) => {
  overlay(`${images}/top.qcow2`, backing(), "raw");
  const pool = await storage.started("images");
  await (await reading(pool, "top.qcow2"))();
});

it("nothing is built on a volume that is being deleted, by whatever path", async () => {
  await storage.started("images");
  mkdirSync(storage.path("elsewhere"));
  const elsewhere = await storage.started("elsewhere");
  const { reached, open, pass } = gate();
  storage.operations = { remove: () => pass() };
  const removing = storage.remove("images", "base.raw");
  await reached;
  const xml = `<volume><name>overlay</name><capacity>1048576</capacity><target><format type='qcow2'/></target>
    <backingStore><path>${alias}/base.raw</path><format type='raw'/></backingStore></volume>`;
  await expect(storage.create(elsewhere, xml)).rejects.toMatchObject({
    message: expect.stringContaining("volume 'base.raw' is being deleted"),
  });
  open();
  await removing;
});
