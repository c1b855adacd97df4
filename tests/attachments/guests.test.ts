import { execFile } from "node:child_process";
import { readFile, symlink, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { Attachment, Pool, Volume } from "@cistern/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { hypervisorUnavailable } from "../support/hypervisor.js";
import { fileDisk, GuestHost } from "./guest-host.js";

const unavailable = hypervisorUnavailable();

let host: GuestHost;
let images: Pool;
beforeAll(async () => {
  if (unavailable !== undefined) return;
  host = await GuestHost.open();
  images = await host.pool("images");
});
beforeEach(({ skip }) => {
  if (unavailable !== undefined) skip(unavailable);
});
afterEach(async () => {
  if (unavailable === undefined) await host.undefineAll();
});
afterAll(async () => {
  if (unavailable === undefined) await host.close();
});

let number = 0;
const newVolume = (format = "raw", backing = ""): Promise<Volume> =>
  host.volume(images, `v${++number}.img`, format, backing);

function told({ domain, when, role, target, through, volumes }: Attachment) {
  return { domain: domain.name, state: domain.state, when, role, target, through, volumes };
}

async function usersOf(volume: Volume) {
  return (await host.connection.uses.attachments({ volume })).items.map(told);
}

/** What virsh did reaches the daemon as an event, a moment later. */
function users(volume: Volume) {
  return expect.poll(() => usersOf(volume), { timeout: 10_000, interval: 20 });
}

const inUse = (volume: Volume) => ({
  code: 55,
  message: expect.stringContaining(`volume '${volume.name}' is still in use`),
});

describe("who uses a volume", () => {
  it("is told of a guest that is defined, that runs, and that ended", async () => {
    const volume = await newVolume();
    const place = { pool: "images", volume: volume.name };
    const use = { domain: "web", role: "disk", target: "sda", through: [], volumes: [place] };
    await host.define("web", fileDisk(volume.key, "sda"));
    await users(volume).toEqual([{ ...use, state: "shut off", when: "next-boot" }]);
    await host.start("web");
    await users(volume).toEqual([{ ...use, state: "running", when: "both" }]);
    await host.destroy("web");
    await users(volume).toEqual([{ ...use, state: "shut off", when: "next-boot" }]);
    await host.virsh("undefine", "web");
    await users(volume).toEqual([]);
  });

  it("is told of what an image rests on, through the images between", async () => {
    const base = await newVolume("qcow2");
    const on = (path: string) => `<backingStore><path>${path}</path><format type='qcow2'/></backingStore>`;
    const middle = await newVolume("qcow2", on(base.key));
    const top = await newVolume("qcow2", on(middle.key));
    await host.define("web", fileDisk(top.key, "sda", { format: "qcow2" }));
    await users(base).toMatchObject([{ domain: "web", role: "backing", target: "sda", through: [middle.key] }]);
    await users(base).toHaveLength(1);
    const explanation = await host.connection.uses.explain(base);
    expect(explanation.verdict).toBe("in-use");
    expect(explanation.overlays).toEqual([{ pool: "images", volume: middle.name }]);
    expect(explanation.losses.join()).toContain("guest 'web'");
  });

  it("is told of both pools where two overlap, by whatever path the guest names it", async () => {
    const volume = await newVolume();
    await symlink(host.path("images"), host.path("way"));
    await host.pool("twin", host.path("way"));
    await host.define("web", fileDisk(host.path("way", volume.name), "sda"));
    await expect
      .poll(async () => (await usersOf(volume)).flatMap(({ volumes }) => volumes.map(({ pool }) => pool)).sort())
      .toEqual(["images", "twin"]);
    await (await host.connection.lookupPool("twin")).stop();
  });

  it("makes a volume unused, and an orphan, once it is nobody's", async () => {
    const volume = await newVolume();
    await host.define("web", fileDisk(volume.key, "sda"));
    const orphans = async () => {
      const names: string[] = [];
      for await (const { items, doubts } of host.connection.uses.orphans()) {
        expect(doubts).toEqual([]);
        names.push(...items.map((orphan) => orphan.volume));
      }
      return names;
    };
    await expect.poll(orphans).not.toContain(volume.name);
    await host.virsh("undefine", "web");
    await expect.poll(orphans).toContain(volume.name);
    expect(await host.connection.uses.explain(volume)).toMatchObject({ verdict: "unused", obstacles: [], doubts: [] });
  });
});

describe("a volume that a running guest uses", () => {
  it("is refused to be deleted, wiped, shrunk and overwritten, and its pool to be stopped, by any client", async () => {
    const volume = await newVolume();
    await host.define("web", fileDisk(volume.key, "sda"));
    await host.start("web");
    await users(volume).toMatchObject([{ when: "both" }]);
    await expect(volume.delete()).rejects.toMatchObject(inUse(volume));
    await expect(volume.wipe()).rejects.toMatchObject(inUse(volume));
    await expect(volume.resize(1n << 20n, { shrink: true })).rejects.toMatchObject(inUse(volume));
    await expect(volume.openUpload()).rejects.toMatchObject(inUse(volume));
    await expect(images.stop()).rejects.toMatchObject({ code: 55, message: expect.stringContaining("web") });
    for (const words of [
      ["vol-delete", volume.key],
      ["vol-wipe", volume.key],
      ["vol-resize", volume.key, "1M", "--shrink"],
      ["vol-upload", volume.key, "/etc/hostname"],
      ["pool-destroy", "images"],
    ]) {
      const { status, stderr } = await host.storageVirsh(...words);
      expect([words[0], status, stderr]).toEqual([words[0], 1, expect.stringMatching(/in use[\s\S]*web/)]);
    }
    await host.destroy("web");
    await volume.delete();
  });

  it("is let go where it is only defined, unless the client wants otherwise", async () => {
    const volume = await newVolume();
    await host.define("web", fileDisk(volume.key, "sda"));
    await users(volume).toHaveLength(1);
    await host.connection.uses.refuseDefined(true);
    await expect(volume.delete()).rejects.toMatchObject(inUse(volume));
    await host.connection.uses.refuseDefined(false);
    await volume.delete();
  });
});

describe("a raw disk into which its guest wrote the header of an image", () => {
  const SECRET = "of the host, and no guest's";
  let disk: Volume;
  beforeEach(async ({ skip }) => {
    if (unavailable !== undefined) skip(unavailable);
    disk = await newVolume();
    await host.define("web", fileDisk(disk.key, "sda"));
    await users(disk).toHaveLength(1);
    const [secret, image] = [host.path("secret"), host.path("header.qcow2")];
    await writeFile(secret, SECRET.padEnd(512));
    await promisify(execFile)("qemu-img", ["create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw", image, "4M"]);
    await writeFile(disk.key, await readFile(image));
    await images.refresh();
  });

  const taken = `<volume><name>clone.img</name><capacity>0</capacity><target><format type='raw'/></target></volume>`;
  const doubtful = { code: 55, message: expect.stringMatching(/begins like an image of format qcow2.*guest 'web'/) };

  it("is neither cloned nor resized as that image, and what the header names is not read", async () => {
    await expect(images.cloneVolume(taken, disk)).rejects.toMatchObject(doubtful);
    await expect(disk.resize(8n << 20n)).rejects.toMatchObject(doubtful);
    expect(await host.storageVirsh("vol-clone", disk.key, "clone.img")).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/guest 'web'.*document says raw/),
    });
    await expect(images.lookupVolume("clone.img")).rejects.toMatchObject({ code: 50 });
    expect((await host.connection.uses.conflicts()).items).toMatchObject([{ kind: "format-mismatch" }]);
  });

  it("is that image once the guest's document says so", async () => {
    await host.virsh("undefine", "web");
    await host.define("web", fileDisk(disk.key, "sda", { format: "qcow2" }));
    await expect.poll(async () => (await host.connection.uses.conflicts()).items, { timeout: 10_000 }).toEqual([]);
    await images.cloneVolume(taken, disk);
    expect((await readFile(host.path("images/clone.img"))).toString("latin1", 0, SECRET.length)).toBe(SECRET);
  });
});

describe("attach", () => {
  it("gives a running guest a volume at the first free target, now and for its next start, and takes it away", async () => {
    const [first, second] = [await newVolume(), await newVolume("qcow2")];
    await host.define("web", fileDisk(first.key, "sda"));
    await host.start("web");
    const { uses } = host.connection;
    expect(await uses.attach(second, "web", { bus: "scsi", live: true, config: true })).toEqual({
      target: "sdb",
      bus: "scsi",
    });
    await users(second).toMatchObject([{ domain: "web", when: "both", target: "sdb" }]);
    expect(await host.virsh("dumpxml", "web")).toMatch(/<driver name='qemu' type='qcow2'[\s\S]*<target dev='sdb'/);
    await expect(second.delete()).rejects.toMatchObject(inUse(second));

    expect(await uses.detach(second, "web", { live: true })).toEqual({ target: "sdb", isReleased: true });
    await users(second).toMatchObject([{ when: "next-boot", target: "sdb" }]);
    expect(await uses.detach(second, "web", { config: true })).toEqual({ target: "sdb", isReleased: true });
    await users(second).toEqual([]);
    await second.delete();
  });

  it("changes only the definition of a guest that does not run", async () => {
    const volume = await newVolume();
    await host.define("web");
    const { uses } = host.connection;
    expect(await uses.attach(volume, "web")).toEqual({ target: "vda", bus: "virtio" });
    await users(volume).toMatchObject([{ when: "next-boot", target: "vda" }]);
    await expect(uses.attach(volume, "web", { live: true, target: "vdb" })).rejects.toMatchObject({ code: 55 });
    expect(await uses.detach(volume, "web")).toEqual({ target: "vda", isReleased: true });
    await expect(uses.detach(volume, "web")).rejects.toMatchObject({ code: 99 });
  });

  it("refuses a second writer, but for guests that share, and readers beside readers", async () => {
    const volume = await newVolume();
    const { uses } = host.connection;
    for (const name of ["web", "db"]) await host.define(name);
    await uses.attach(volume, "web");
    const refusal = {
      code: 55,
      message: expect.stringMatching(/still in use: guest 'web' \(shut off\) uses it as vda/),
    };
    await expect(uses.attach(volume, "db")).rejects.toMatchObject(refusal);
    await expect(uses.attach(volume, "db", { shareable: true })).rejects.toMatchObject(refusal);
    await expect(uses.attach(volume, "db", { readOnly: true })).rejects.toMatchObject(refusal);
    await uses.detach(volume, "web");
    await uses.attach(volume, "web", { shareable: true });
    await uses.attach(volume, "db", { shareable: true });
    expect((await uses.conflicts()).items).toEqual([]);
    for (const name of ["web", "db"]) await uses.detach(volume, name);
    for (const name of ["web", "db"]) await uses.attach(volume, name, { readOnly: true });
    await users(volume).toHaveLength(2);
  });

  it("lets one of two that come at once have it", async () => {
    const volume = await newVolume();
    for (const name of ["web", "db"]) await host.define(name);
    // Both are known, so that neither has to be asked for first.
    for (const domain of ["web", "db"]) await host.connection.uses.attachments({ domain });
    const tries = ["web", "db"].map((name) => host.connection.uses.attach(volume, name));
    const outcomes = (await Promise.allSettled(tries)).map(({ status }) => status);
    expect(outcomes.sort()).toEqual(["fulfilled", "rejected"]);
    await users(volume).toHaveLength(1);
  });

  it("does not write to what others are built on", async () => {
    const base = await newVolume("qcow2");
    await newVolume("qcow2", `<backingStore><path>${base.key}</path><format type='qcow2'/></backingStore>`);
    await host.define("web");
    const { uses } = host.connection;
    await expect(uses.attach(base, "web")).rejects.toMatchObject({
      code: 55,
      message: expect.stringContaining("built on it"),
    });
    expect(await uses.attach(base, "web", { readOnly: true })).toMatchObject({ target: "vda" });
  });

  it("says when a running guest does not let go", async () => {
    const volume = await newVolume();
    await host.define("web", fileDisk(volume.key, "vda", { bus: "virtio" }));
    await host.start("web");
    // Whatever its firmware would do: it stands still.
    await host.virsh("suspend", "web");
    expect(await host.connection.uses.detach(volume, "web", { live: true })).toEqual({
      target: "vda",
      isReleased: false,
    });
    await expect(volume.delete()).rejects.toMatchObject(inUse(volume));
  });

  it("passes on what the hypervisor answers", async () => {
    const volume = await newVolume();
    await host.define("web");
    await expect(host.connection.uses.attach(volume, "web", { target: "vda", bus: "nonsense" })).rejects.toMatchObject({
      message: expect.stringContaining("nonsense"),
    });
  });
});

describe("state that libvirt keeps where no document says", () => {
  const usesOf = async (domain: string) =>
    (await host.connection.uses.attachments({ domain })).items.map(({ role, when, place, problem, volumes }) => {
      return [role, when, place, problem, volumes.map(({ pool, volume }) => `${pool}/${volume}`).join()];
    });

  it("is attached, is nothing missing before the first start, and is a volume that is protected", async () => {
    const devices = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>";
    await host.defineGuest({ name: "sealed", disks: [], devices, hasFirmware: true });
    const uuid = (await host.virsh("domuuid", "sealed")).trim();
    const tpm = `/var/lib/libvirt/swtpm/${uuid}/tpm2`;
    const variables = "/var/lib/libvirt/qemu/nvram/sealed_VARS.fd";
    await expect
      .poll(() => usesOf("sealed"))
      .toEqual([
        ["nvram", "next-boot", variables, null, ""],
        ["tpm", "next-boot", tpm, null, ""],
      ]);
    expect((await host.connection.uses.conflicts()).items).toEqual([]);
    await host.start("sealed");
    const firmware = expect.stringContaining("/usr/share/OVMF/");
    await expect
      .poll(() => usesOf("sealed"), { timeout: 10_000 })
      .toEqual(
        expect.arrayContaining([
          ["loader", "live", firmware, null, ""],
          ["nvram", "both", variables, null, ""],
          ["nvram-template", "live", firmware, null, ""],
          ["tpm", "both", tpm, null, ""],
        ]),
      );
    expect(await usesOf("sealed")).toHaveLength(4);
    const pool = await host.pool("variables", host.path("var/qemu/nvram"));
    await expect
      .poll(() => usesOf("sealed"))
      .toContainEqual(["nvram", "both", variables, null, "variables/sealed_VARS.fd"]);
    const volume = await pool.lookupVolume("sealed_VARS.fd");
    await expect(volume.delete()).rejects.toMatchObject(inUse(volume));
    await host.destroy("sealed");
    await pool.stop();
    await pool.undefine();
  });
});

describe("conflicts and adoption", () => {
  it("are told of guests as they are", async () => {
    const volume = await newVolume("qcow2");
    await host.define("web", fileDisk(volume.key, "sda", { format: "raw" }));
    await host.define("db", fileDisk(volume.key, "sda", { format: "qcow2" }));
    await users(volume).toHaveLength(2);
    const { items } = await host.connection.uses.conflicts();
    expect(items.map(({ kind, severity, domains }) => ({ kind, severity, domains }))).toEqual([
      { kind: "shared-writing", severity: "warning", domains: ["db", "web"] },
      { kind: "format-mismatch", severity: "warning", domains: ["web"] },
    ]);
  });

  it("propose a pool for a file outside all pools, which then has it", async () => {
    const stray = await host.pool("stray");
    const volume = await host.volume(stray, "lost.img");
    await host.define("web", fileDisk(volume.key, "sda"));
    await stray.stop();
    await stray.undefine();
    const plan = await host.connection.uses.adoptionPlan({ domain: "web" });
    expect(plan).toMatchObject({
      left: [],
      proposals: [{ name: "stray", type: "dir", action: "define", places: [volume.key] }],
    });
    const pool = await host.connection.definePool(plan.proposals[0]?.xml ?? "");
    await pool.start();
    expect(await usersOf(await pool.lookupVolume("lost.img"))).toMatchObject([{ domain: "web" }]);
    expect(await host.connection.uses.adoptionPlan({ domain: "web" })).toEqual({ proposals: [], left: [] });
  });
});
