import { closeSync, existsSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { directoryDriver } from "../../dist/drivers/directory.js";
import type { Directory } from "../../dist/host/host.js";
import { DAEMON_REQUESTER } from "../../dist/jobs/job-facts.js";
import type { Pool } from "../../dist/pools/pool.js";
import { qemuImg } from "../images/shared.js";
import { Storage } from "./storage.js";

let storage: Storage;
let work: string;
let pool: Pool;
let scans: string[];
beforeEach(async () => {
  storage = await Storage.open();
  work = storage.directory("work");
  qemuImg("create", "-q", "-f", "qcow2", `${work}/base`, "1M");
  scans = [];
  storage.scanning = async (document, ...rest) => {
    scans.push(document.name);
    return await directoryDriver.scan(document, ...rest);
  };
});
afterEach(() => storage.close());

async function started(): Promise<void> {
  pool = await storage.started("work");
  scans = [];
}

const overlay = (path: string) =>
  qemuImg("create", "-q", "-f", "qcow2", "-b", `${work}/base`, "-F", "qcow2", path, "1M");
const refused = (user: string) => ({
  code: 55,
  message: expect.stringContaining(
    `volume 'base' is still in use. It is the backing store of '${user}' ('${user}' -> `,
  ),
});
const volumeXml = (name: string, format: string, more = "") =>
  `<volume><name>${name}</name><capacity unit='M'>1</capacity><allocation>0</allocation>
    <target><format type='${format}'/></target>${more}</volume>`;

describe("a volume on which another program has built something since the scan is not deleted:", () => {
  it("in the same directory", async () => {
    await started();
    overlay(`${work}/snapshot`);
    await expect(storage.remove("work", "base")).rejects.toMatchObject(refused("work/snapshot"));
    expect(existsSync(`${work}/base`)).toBe(true);
    expect([...pool.volumes].map(({ name }) => name).sort()).toEqual(["base", "snapshot"]);
  });

  it("on one that was just made", async () => {
    await started();
    await storage.create(pool, volumeXml("made", "qcow2"));
    qemuImg("create", "-q", "-f", "qcow2", "-b", "made", "-F", "qcow2", `${work}/snapshot`);
    await expect(storage.remove("work", "made")).rejects.toMatchObject({
      message: expect.stringContaining("'work/snapshot' -> 'work/made'"),
    });
  });

  it("in another pool", async () => {
    const elsewhere = storage.directory("elsewhere");
    await started();
    await storage.started("elsewhere");
    scans = [];
    overlay(`${elsewhere}/snapshot`);
    await expect(storage.remove("work", "base")).rejects.toMatchObject(refused("elsewhere/snapshot"));
    expect(scans).toEqual(["elsewhere"]);
  });

  it("by moving it there", async () => {
    await started();
    overlay(storage.path("snapshot"));
    renameSync(storage.path("snapshot"), `${work}/snapshot`);
    await expect(storage.remove("work", "base")).rejects.toMatchObject(refused("work/snapshot"));
  });

  it("in an image that was there already", async () => {
    qemuImg("create", "-q", "-f", "qcow2", `${work}/old`, "1M");
    await started();
    qemuImg("rebase", "-u", "-b", `${work}/base`, "-F", "qcow2", `${work}/old`);
    await expect(storage.remove("work", "base")).rejects.toMatchObject(refused("work/old"));
  });

  it("in an image that the daemon has changed since", async () => {
    qemuImg("create", "-q", "-f", "qcow2", `${work}/old`, "1M");
    await started();
    qemuImg("rebase", "-u", "-b", `${work}/base`, "-F", "qcow2", `${work}/old`);
    await storage.volumes.resize({ pool: "work", name: "old" }, 2_097_152n, 0, DAEMON_REQUESTER);
    await expect(storage.remove("work", "base")).rejects.toMatchObject(refused("work/old"));
  });

  it("in a file that had no header yet when another deletion looked at it, and is still open", async () => {
    writeFileSync(`${work}/other`, "");
    await started();
    overlay(storage.path("snapshot"));
    const file = openSync(`${work}/snapshot`, "w");
    try {
      await storage.remove("work", "other");
      writeSync(file, readFileSync(storage.path("snapshot")));
      await expect(storage.remove("work", "base")).rejects.toMatchObject(refused("work/snapshot"));
    } finally {
      closeSync(file);
    }
  });

  it("where the kernel does not tell what happens in the directory", async () => {
    const { hostOf } = storage.backends;
    const unwatched = (directory: Directory): Directory => Object.assign(directory, { watch: undefined });
    Object.assign(storage.backends, {
      hostOf: async (...args: Parameters<typeof hostOf>) => {
        const host = await hostOf(...args);
        return new Proxy(host, {
          get: (target, key) => {
            if (key === "openDirectory") return async (path: string) => unwatched(await target.openDirectory(path));
            const value: unknown = Reflect.get(target, key, target);
            return typeof value === "function" ? value.bind(target) : value;
          },
        });
      },
    });
    writeFileSync(`${work}/other`, "");
    await started();
    await storage.remove("work", "other");
    expect(scans).toEqual([]);
    overlay(`${work}/snapshot`);
    await expect(storage.remove("work", "base")).rejects.toMatchObject(refused("work/snapshot"));
  });
});

it("what the daemon itself makes, changes and deletes costs no look at the pool", async () => {
  await started();
  const backing = `<backingStore><path>${work}/base</path><format type='qcow2'/></backingStore>`;
  await storage.create(pool, volumeXml("raw", "raw"));
  await storage.create(pool, volumeXml("image", "qcow2"));
  await storage.create(pool, volumeXml("overlay", "qcow2", backing));
  await storage.create(pool, volumeXml("by-qemu", "vmdk"));
  await storage.create(
    pool,
    "<volume type='dir'><name>directory</name><capacity>0</capacity><target><format type='dir'/></target></volume>",
  );
  await storage.clone(pool, "raw", volumeXml("raw-clone", "raw"));
  await storage.clone(pool, "overlay", volumeXml("clone", "qcow2"));
  for (const name of ["raw", "image"]) {
    await storage.volumes.resize({ pool: "work", name }, 2_097_152n, 0, DAEMON_REQUESTER);
    await storage.volumes.wipe({ pool: "work", name }, 0, 0, DAEMON_REQUESTER);
  }
  for (const { name } of [...pool.volumes].filter(({ name }) => name !== "base")) await storage.remove("work", name);
  expect(scans).toEqual([]);
  expect([...pool.volumes].map(({ name }) => name)).toEqual(["base"]);
});

it("what was seen is not looked at again for ever", async () => {
  for (const name of ["a", "b", "c"]) writeFileSync(`${work}/${name}`, "");
  await started();
  overlay(`${work}/snapshot`);
  await storage.remove("work", "a");
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  await storage.remove("work", "b");
  expect(scans).toEqual(["work", "work"]);
  await storage.remove("work", "c");
  expect(scans).toEqual(["work", "work"]);
});

it("a pool that cannot be looked at again keeps its volumes", async () => {
  await started();
  overlay(`${work}/snapshot`);
  storage.scanning = async () => {
    throw new Error("the disk is sick");
  };
  await expect(storage.remove("work", "base")).rejects.toThrow("the disk is sick");
  expect(existsSync(`${work}/base`)).toBe(true);
});

it("where backing stores may be deleted, nobody looks", async () => {
  storage.deletesBackingStores = true;
  await started();
  overlay(`${work}/snapshot`);
  await storage.remove("work", "base");
  expect(scans).toEqual([]);
});
