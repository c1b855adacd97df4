import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { missing } from "../../../../tests/support/requirements.js";
import { directoryDriver } from "../../dist/drivers/directory.js";
import { DAEMON_REQUESTER } from "../../dist/jobs/job-facts.js";
import { qemuImg } from "../images/shared.js";
import { gate } from "./gate.js";
import { Storage } from "./storage.js";

let storage: Storage;
beforeEach(async () => {
  storage = await Storage.open();
});
afterEach(() => storage.close());

function image(path: string, backing?: string): void {
  const on = backing === undefined ? [] : ["-u", "-b", backing, "-F", "qcow2"];
  qemuImg("create", "-q", "-f", "qcow2", ...on, path, "1M");
}

function overlayXml(name: string, backing: string): string {
  return `<volume><name>${name}</name><capacity unit='M'>1</capacity><target><format type='qcow2'/></target>
    <backingStore><path>${backing}</path><format type='qcow2'/></backingStore></volume>`;
}

const refusal = (volume: string, chain: readonly string[]) => {
  const shown = chain.map((each) => `'${each}'`);
  return {
    code: 55,
    domain: 18,
    message:
      `Requested operation is not valid: volume '${volume}' is still in use. ` +
      `It is the backing store of ${shown.at(-2)} (${shown.join(" -> ")})`,
  };
};

describe("deleting what others are built on is refused, with the chain,", () => {
  it("over three levels and two pools", async () => {
    const [bases, work] = [storage.directory("bases"), storage.directory("work")];
    image(`${bases}/base`);
    image(`${bases}/middle`, `${bases}/base`);
    image(`${work}/disk`, `${bases}/middle`);
    image(`${work}/top`, `${work}/disk`);
    await storage.started("bases");
    await storage.started("work");
    await expect(storage.remove("bases", "base")).rejects.toMatchObject(
      refusal("base", ["work/top", "work/disk", "bases/middle", "bases/base"]),
    );
    await expect(storage.remove("work", "disk")).rejects.toMatchObject(refusal("disk", ["work/top", "work/disk"]));
    expect(existsSync(`${bases}/base`)).toBe(true);

    // From the top down nothing stands in the way.
    for (const name of ["top", "disk"]) await storage.remove("work", name);
    for (const name of ["middle", "base"]) await storage.remove("bases", name);
    expect(existsSync(`${bases}/base`)).toBe(false);
  });

  it("that name it relative to themselves", async () => {
    const work = storage.directory("work");
    image(`${work}/base`);
    image(`${work}/disk`, "base");
    await storage.started("work");
    await expect(storage.remove("work", "base")).rejects.toMatchObject(refusal("base", ["work/disk", "work/base"]));
  });

  it("that were made with a relative name, before a scan has looked at them", async () => {
    const work = storage.directory("work");
    image(`${work}/base`);
    const pool = await storage.started("work");
    const { volume } = await storage.create(pool, overlayXml("disk", "base"));
    expect(volume.document.backingStore?.path).toBe("base");
    await expect(storage.remove("work", "base")).rejects.toMatchObject(refusal("base", ["work/disk", "work/base"]));
    expect(existsSync(`${work}/base`)).toBe(true);
  });

  it("that name it with qemu's prefix for files", async () => {
    const work = storage.directory("work");
    image(`${work}/base`);
    image(`${work}/disk`, `file:${work}/base`);
    await storage.started("work");
    await expect(storage.remove("work", "base")).rejects.toMatchObject(refusal("base", ["work/disk", "work/base"]));
  });

  it("that keep their data in it", async () => {
    const [bases, work] = [storage.directory("bases"), storage.directory("work")];
    for (const name of ["near", "far"]) {
      const data = name === "near" ? `${work}/data` : `${bases}/data`;
      qemuImg("create", "-q", "-f", "qcow2", "-o", `data_file=${data}`, `${work}/${name}`, "1M");
    }
    renameSync(`${work}/near`, `${work}/near-old`);
    qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", `${work}/far`, "-F", "qcow2", `${work}/top`, "1M");
    await storage.started("bases");
    const pool = await storage.started("work");
    for (const [place, user] of [
      ["work", "work/near-old"],
      ["bases", "work/far"],
    ] as const) {
      const chain = user === "work/far" ? "'work/top' -> 'work/far' -> 'bases/data'" : `'${user}' -> 'work/data'`;
      await expect(storage.remove(place, "data")).rejects.toMatchObject({
        code: 55,
        message: expect.stringContaining(`volume 'data' is still in use. It is the data file of '${user}' (${chain})`),
      });
    }
    // A look at it does not forget it.
    await storage.volumes.info({ pool: "work", name: "far" }, 0);
    await storage.scan(pool);
    await expect(storage.remove("bases", "data")).rejects.toMatchObject({ code: 55 });
    await storage.remove("work", "near-old");
    await storage.remove("work", "data");
    expect(readdirSync(work).sort()).toEqual(["far", "top"]);
  });

  it("that an upload has brought, before a scan has seen them", async () => {
    const [bases, work] = [storage.directory("bases"), storage.directory("work")];
    for (const name of ["base", "other"]) image(`${bases}/${name}`);
    writeFileSync(`${work}/disk`, "");
    await storage.started("bases");
    const pool = await storage.started("work");
    const overlay = storage.path("overlay");
    image(overlay, `${bases}/base`);
    const content = readFileSync(overlay);
    const upload = await storage.transfers.upload({ pool: "work", name: "disk" }, 0n, 0n, 0, DAEMON_REQUESTER);
    // Of what has not come yet nobody knows what it will be built on.
    await storage.remove("bases", "other");
    const { reached, open, pass } = gate();
    const scan = directoryDriver.scan;
    storage.scanning = async (...args) => {
      await pass();
      return await scan(...args);
    };
    await upload.write(content);
    await upload.finish();
    await reached;
    const refused = refusal("base", ["work/disk", "bases/base"]);
    await expect(storage.remove("bases", "base")).rejects.toMatchObject(refused);
    open();
    await pool.settling;
    expect([...pool.changes.unread]).toEqual([]);
    await expect(storage.remove("bases", "base")).rejects.toMatchObject(refused);
  });

  it("that an upload is bringing", async () => {
    const [bases, work] = [storage.directory("bases"), storage.directory("work")];
    image(`${bases}/base`);
    writeFileSync(`${work}/disk`, "");
    await storage.started("bases");
    const pool = await storage.started("work");
    image(storage.path("overlay"), `${bases}/base`);
    const upload = await storage.transfers.upload({ pool: "work", name: "disk" }, 0n, 0n, 0, DAEMON_REQUESTER);
    await upload.write(readFileSync(storage.path("overlay")));
    await vi.waitFor(() => expect(statSync(`${work}/disk`).size).toBeGreaterThan(0));
    await expect(storage.remove("bases", "base")).rejects.toMatchObject(refusal("base", ["work/disk", "bases/base"]));
    await upload.finish();
    await pool.settling;
  });

  it("that an upload has made of something else are none any more", async () => {
    const work = storage.directory("work");
    image(`${work}/base`);
    image(`${work}/disk`, `${work}/base`);
    const pool = await storage.started("work");
    const upload = await storage.transfers.upload({ pool: "work", name: "disk" }, 0n, 0n, 0, DAEMON_REQUESTER);
    await upload.write(Buffer.alloc(1_048_576, "raw"));
    let deleting: Promise<void> = Promise.resolve();
    await pool.lock.run(async () => {
      // Its turn comes before that of the scan after the upload.
      deleting = storage.remove("work", "base");
      await upload.finish();
    });
    await deleting;
    expect(existsSync(`${work}/base`)).toBe(false);
  });

  it("that name it by a symlink, or by another hard link", async () => {
    const [bases, work] = [storage.directory("bases"), storage.directory("work")];
    for (const name of ["a", "b"]) image(`${bases}/${name}`);
    symlinkSync(`${bases}/a`, storage.path("shortcut"));
    linkSync(`${bases}/b`, storage.path("second-name"));
    image(`${work}/on-a`, storage.path("shortcut"));
    image(`${work}/on-b`, storage.path("second-name"));
    await storage.started("bases");
    await storage.started("work");
    await expect(storage.remove("bases", "a")).rejects.toMatchObject(refusal("a", ["work/on-a", "bases/a"]));
    await expect(storage.remove("bases", "b")).rejects.toMatchObject(refusal("b", ["work/on-b", "bases/b"]));
  });

  it("that name it by a bind mount", async (context) => {
    const reason = missing({ root: true, programs: ["mount", "umount"] });
    context.skip(reason !== null, reason ?? "");
    const [bases, work, mounted] = [storage.directory("bases"), storage.directory("work"), storage.path("mounted")];
    mkdirSync(mounted);
    execFileSync("mount", ["--bind", bases, mounted]);
    try {
      image(`${bases}/base`);
      image(`${work}/disk`, `${mounted}/base`);
      await storage.started("bases");
      await storage.started("work");
      await expect(storage.remove("bases", "base")).rejects.toMatchObject(refusal("base", ["work/disk", "bases/base"]));
    } finally {
      execFileSync("umount", [mounted]);
    }
  });
});

describe("deleting is not held up by", () => {
  it("an overlay in a pool that is not active, nor one that is only called alike", async () => {
    const [bases, work] = [storage.directory("bases"), storage.directory("work")];
    for (const name of ["base", "other"]) image(`${bases}/${name}`);
    image(`${work}/disk`, `${bases}/other`);
    image(`${work}/broken`, "/nowhere/base");
    await storage.started("bases");
    const pool = await storage.started("work");
    await storage.remove("bases", "base");
    expect(existsSync(`${bases}/base`)).toBe(false);
    pool.active = false;
    await storage.remove("bases", "other");
    expect(existsSync(`${bases}/other`)).toBe(false);
  });

  it("a ring of damaged or hostile images that are built on themselves", async () => {
    const work = storage.directory("work");
    image(`${work}/a`, `${work}/b`);
    image(`${work}/b`, `${work}/a`);
    image(`${work}/self`);
    qemuImg("rebase", "-u", "-b", `${work}/self`, "-F", "qcow2", `${work}/self`);
    const pool = await storage.started("work");
    for (const name of ["self", "a", "b"]) await storage.remove("work", name);
    expect(pool.volumes.size).toBe(0);
    expect(readdirSync(work)).toEqual([]);
  });

  it("anything where the administrator wants libvirt's way", async () => {
    const work = storage.directory("work");
    image(`${work}/base`);
    image(`${work}/disk`, `${work}/base`);
    const pool = await storage.started("work");
    storage.deletesBackingStores = true;
    await storage.remove("work", "base");
    expect(existsSync(`${work}/base`)).toBe(false);
    expect([...pool.volumes].map(({ name }) => name)).toEqual(["disk"]);
  });
});

describe("an overlay made with a relative name", () => {
  it("is not built on what is being deleted", async () => {
    const work = storage.directory("work");
    image(`${work}/base`);
    const pool = await storage.started("work");
    const base = pool.volumes.get("base");
    if (base !== undefined) base.removing = true;
    await expect(storage.create(pool, overlayXml("disk", "base"))).rejects.toMatchObject({
      code: 55,
      message: expect.stringContaining("volume 'base' is being deleted"),
    });
    expect(readdirSync(work)).toEqual(["base"]);
  });

  it("is read by a clone together with what it is built on", async () => {
    const work = storage.directory("work");
    image(`${work}/base`);
    const pool = await storage.started("work");
    await storage.create(pool, overlayXml("disk", "base"));
    let heldMeanwhile = false;
    storage.operations = {
      fill: async () => {
        heldMeanwhile = pool.volumes.get("base")?.lease.isHeld === true;
        throw new Error("seen enough");
      },
    };
    const xml = "<volume><name>copy</name><capacity>1</capacity></volume>";
    await expect(storage.clone(pool, "disk", xml)).rejects.toThrow("seen enough");
    expect(heldMeanwhile).toBe(true);
  });
});

it("a refused deletion leaves the volume free for everything else", async () => {
  const work = storage.directory("work");
  image(`${work}/base`);
  image(`${work}/disk`, `${work}/base`);
  const pool = await storage.started("work");
  await expect(storage.remove("work", "base")).rejects.toMatchObject({ code: 55 });
  expect(pool.volumes.get("base")).toMatchObject({ removing: false, lease: { isHeld: false } });
  expect(pool.jobs).toBe(0);
});
