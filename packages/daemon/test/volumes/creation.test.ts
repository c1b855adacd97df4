import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { directoryDriver } from "../../dist/drivers/directory.js";
import { DAEMON_REQUESTER } from "../../dist/jobs/job-facts.js";
import { PoolCommitments } from "../../dist/pools/commitment.js";
import type { Volume } from "../../dist/pools/volume.js";
import { VolumeCreation } from "../../dist/volumes/creation.js";
import { gate } from "./gate.js";
import { Storage } from "./storage.js";

let storage: Storage;
beforeEach(async () => {
  storage = await Storage.open();
});
afterEach(() => storage.close());

const xmlOf = (name: string): string => `<volume><name>${name}</name><capacity>4096</capacity></volume>`;
const emptyXmlOf = (name: string): string => xmlOf(name).replace("</volume>", "<allocation>0</allocation></volume>");

describe("a creation that fails because its name was taken meanwhile", () => {
  it.each(["ended", "is under way"])("shows what took it, when a scan that saw it %s", async (which) => {
    const images = storage.directory("images");
    const pool = await storage.started("images");
    const [filling, scanning] = [gate(), gate()];
    storage.operations = {
      fill: async (...args) => {
        await filling.pass();
        return await directoryDriver.volumes?.fill?.(...args);
      },
    };
    const creating = storage.create(pool, emptyXmlOf("a"));
    await filling.reached;
    writeFileSync(`${images}/a`, "somebody else's");
    storage.scanning = async (...args) => {
      const seen = await directoryDriver.scan(...args);
      await scanning.pass();
      return seen;
    };
    const scan = storage.scan(pool);
    await scanning.reached;
    const endScan = async (): Promise<void> => {
      scanning.open();
      await scan;
    };
    if (which === "ended") await endScan();
    filling.open();
    await expect(creating).rejects.toMatchObject({ message: expect.stringContaining("already exists") });
    await endScan();
    expect([...pool.volumes]).toMatchObject([{ name: "a", building: false, document: { capacityBytes: 15n } }]);
    await storage.remove("images", "a");
  });

  it("shows nothing of its own that a scan saw", async () => {
    const images = storage.directory("images");
    const pool = await storage.started("images");
    storage.operations = {
      fill: async () => {
        writeFileSync(`${images}/a`, "half");
        await storage.scan(pool);
        rmSync(`${images}/a`);
        throw new Error("the disk is full");
      },
    };
    await expect(storage.create(pool, emptyXmlOf("a"))).rejects.toThrow("full");
    expect(pool.volumes.size).toBe(0);
  });
});

describe("of its source, a clone", () => {
  it("takes what has the name when its document was read, and is refused when that is being written", async () => {
    const images = storage.directory("images");
    writeFileSync(`${images}/source`, "old content");
    const pool = await storage.started("images");
    const { reached, open, pass } = gate();
    const read = storage.parser.volume.bind(storage.parser);
    storage.parser.volume = async (...args) => {
      await pass();
      return await read(...args);
    };
    const cloning = storage.clone(pool, "source", xmlOf("copy"));
    await reached;
    storage.parser.volume = read;
    await storage.remove("images", "source");
    await storage.create(pool, emptyXmlOf("source"));
    const upload = await storage.transfers.upload({ pool: "images", name: "source" }, 0n, 0n, 0, DAEMON_REQUESTER);
    open();
    await expect(cloning).rejects.toMatchObject({
      code: 55,
      message: expect.stringContaining("volume 'source' is still in use."),
    });
    await upload.abort();
    await pool.settling;
    expect(readdirSync(images)).toEqual(["source"]);
  });

  it("that a scan found replaced while it waited for its turn takes nothing", async () => {
    const images = storage.directory("images");
    writeFileSync(`${images}/source`, "old content");
    const pool = await storage.started("images");
    let cloning: Promise<unknown> = Promise.resolve();
    await pool.lock.run(async () => {
      cloning = storage.clone(pool, "source", xmlOf("copy"));
      cloning.catch(() => {});
      rmSync(`${images}/source`);
      await storage.scan(pool);
      writeFileSync(`${images}/source`, "somebody else's");
      await storage.scan(pool);
    });
    await expect(cloning).rejects.toMatchObject({ code: 50 });
    expect(existsSync(`${images}/copy`)).toBe(false);
  });
});

it("an overlay that is to be as large as its backing store is refused where that is more than the pool may promise", async () => {
  const images = storage.directory("images");
  execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", `${images}/base`, "100T"]);
  const pool = await storage.started("images");
  const commitments = new PoolCommitments({ warnRatio: () => null, refuseRatio: () => 1.5 }, () => {});
  pool.volumes.remove(pool.volumes.get("base") as Volume);
  const creation = new VolumeCreation(
    storage.pools,
    storage.volumes,
    { ...storage.backends, commitments },
    storage.parser,
  );
  const xml =
    "<volume><name>overlay</name><target><format type='qcow2'/></target>" +
    `<backingStore><path>${images}/base</path><format type='qcow2'/></backingStore></volume>`;
  const creating = creation.create({ name: "images", uuid: pool.uuid }, xml, 0, DAEMON_REQUESTER);
  await expect(creating).rejects.toThrow(/would promise \d+ bytes to guests/);
  expect(existsSync(`${images}/overlay`)).toBe(false);
  expect(pool.volumes.get("overlay")).toBeUndefined();
});
