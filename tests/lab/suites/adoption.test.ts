import { mkdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import type { AdoptionPlan } from "@cistern/client";
import { readPool } from "@cistern/documents";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { fileDisk, GuestHost } from "../../attachments/guest-host.js";
import { attachLoop } from "../../support/loop.js";
import { backingStore, prepareTarget } from "../guest/lio.js";
import { prepareLvm } from "../guest/lvm.js";
import { loadModule } from "../guest/modules.js";
import { run } from "../guest/run.js";
import { disksOf, loopHost } from "../guest/scsi.js";
import { settle, startUdev } from "../guest/udev.js";

const MiB = 1024 * 1024;
/** Of a group of volumes and of a file system on one, for what a mount point is. */
const MOUNTED = "/srv/shelf/guests";

let host: GuestHost;
let disks: readonly string[];
let group: ReturnType<typeof attachLoop>;
let shelf: ReturnType<typeof attachLoop>;

beforeAll(async () => {
  startUdev();
  loadModule("loop", "max_part=15");
  prepareTarget();
  prepareLvm();
  const stores = ["a", "b"].map((name) => backingStore(name, 64 * MiB, `LAB000${name.toUpperCase()}`));
  disks = disksOf(loopHost("naa.5001405000000001", stores).host).map((name) => `/dev/${name}`);
  [group, shelf] = [attachLoop(64 * MiB), attachLoop(64 * MiB)];
  for (const [name, { device }] of [
    ["lab-vg", group],
    ["shelf", shelf],
  ] as const) {
    run("pvcreate", ["--quiet", "--yes", device]);
    run("vgcreate", ["--quiet", name, device]);
    run("lvcreate", ["--quiet", "--yes", "--size", "32M", "--name", "a-disk", name]);
  }
  // Before cisternd and libvirtd have a mount table of their own.
  run("mkfs.ext4", ["-q", "/dev/shelf/a-disk"]);
  mkdirSync(MOUNTED, { recursive: true });
  run("mount", ["/dev/shelf/a-disk", MOUNTED]);
  settle();
  host = await GuestHost.open();
});
afterAll(async () => {
  await host?.close();
  run("umount", [MOUNTED]);
  run("vgremove", ["--quiet", "--force", "--yes", "lab-vg", "shelf"]);
  for (const { device } of [group, shelf]) run("pvremove", ["--quiet", device]);
  for (const loop of [group, shelf]) loop[Symbol.dispose]();
});

/** A guest's disks, by each of these names of devices. */
function blockDisks(names: readonly string[]): string[] {
  return names.map(
    (name, index) =>
      `<disk type='block'><driver name='qemu' type='raw'/><source dev='${name}'/><target dev='vd${"abcdef"[index]}' bus='virtio'/></disk>`,
  );
}

function plan(of: { readonly path?: string; readonly domain?: string }): Promise<AdoptionPlan> {
  return host.connection.uses.adoptionPlan(of);
}

/** Waits until cisternd knows of the guest. */
async function known(domain: string): Promise<void> {
  const items = async () => (await host.connection.uses.attachments({ domain })).items;
  await expect.poll(() => items().catch(() => []), { timeout: 20_000 }).not.toEqual([]);
}

/** The pool and volume of each of a guest's disks, in the order of their targets. */
async function placesOf(domain: string): Promise<string[]> {
  const { items } = await host.connection.uses.attachments({ domain });
  return items
    .filter(({ role }) => role === "disk")
    .sort((one, other) => (one.target ?? "").localeCompare(other.target ?? ""))
    .map(({ volumes }) => volumes.map(({ pool, volume }) => `${pool}/${volume}`).join(" "));
}

/** What lies on the device, and in no cache. */
function contentOf(device: string): string {
  run("sync", []);
  return run("sh", ["-c", `dd if='${device}' iflag=direct bs=1M status=none | sha256sum`]);
}

function fill(device: string): void {
  run("sh", ["-c", `dd if=/dev/urandom of='${device}' oflag=direct bs=1M status=none 2>/dev/null; true`]);
}

describe("adoption of real devices", () => {
  afterEach(() => host.undefineAll());

  it("a logical volume, by each of its names: a pool of its group", async () => {
    fill("/dev/lab-vg/a-disk");
    const names = [
      "/dev/lab-vg/a-disk",
      "/dev/mapper/lab--vg-a--disk",
      realpathSync("/dev/lab-vg/a-disk"),
      "/dev/disk/by-id/dm-name-lab--vg-a--disk",
    ];
    await host.define("named", ...blockDisks(names));
    await host.define("runs", ...blockDisks([names[2] ?? ""]));
    await host.start("runs");
    await known("runs");
    const before = contentOf(group.device);

    const shown = (await host.cistern("adopt", "--domain", "named")).stdout;
    expect(shown).toMatch(/lab-vg +logical +define +4 +named\n/);
    expect(shown).toContain("<name>lab-vg</name>");
    const { proposals, left } = await plan({ domain: "named" });
    expect(left).toEqual([]);
    expect(proposals).toMatchObject([{ name: "lab-vg", type: "logical", action: "define", domains: ["named"] }]);
    expect([...(proposals[0]?.places ?? [])].sort()).toEqual([...names].sort());
    for (const name of names) {
      expect((await plan({ path: name })).proposals).toMatchObject([
        { name: "lab-vg", type: "logical", places: [name] },
      ]);
    }

    expect(await host.cistern("adopt", "--domain", "named", "--yes")).toMatchObject({
      status: 0,
      stdout: "Pool lab-vg defined, started and marked as autostarted\n",
    });
    expect((await host.cistern("vol-list", "lab-vg")).stdout).toContain("a-disk");
    expect((await host.cistern("attachments", "--domain", "named")).stdout).toContain("lab-vg/a-disk");
    await expect.poll(() => placesOf("named")).toEqual(names.map(() => "lab-vg/a-disk"));
    await expect.poll(() => placesOf("runs")).toEqual(["lab-vg/a-disk"]);
    expect(await plan({ domain: "named" })).toEqual({ proposals: [], left: [] });
    expect(contentOf(group.device)).toBe(before);

    // The pool is there, but was stopped, and its volumes with it.
    await host.destroy("runs");
    await expect.poll(async () => (await host.cistern("pool-destroy", "lab-vg", "--even-if-defined")).status).toBe(0);
    const again = await plan({ domain: "named" });
    expect(again.proposals).toMatchObject([{ name: "lab-vg", action: "start" }]);
    // Of a name that tells no group nobody knows what it was.
    expect(again.left).toEqual([
      { place: expect.stringMatching(/^\/dev\/dm-/), reason: "there is no such device now" },
    ]);
    expect((await host.cistern("adopt", "--domain", "named", "--yes")).stdout).toContain("Pool lab-vg started\n");
    await expect.poll(() => placesOf("named")).toEqual(Array.from({ length: 4 }, () => "lab-vg/a-disk"));
  });

  it.each(["gpt", "dos"] as const)(
    "a partition of a disk of format %s, by each of its names: a pool of its disk",
    async (label) => {
      const disk = disks[0] ?? "";
      const end =
        label === "gpt" ? ["one", "1MiB", "20MiB", "mkpart", "two"] : ["primary", "1MiB", "20MiB", "mkpart", "primary"];
      run("parted", ["-s", disk, "mklabel", label === "gpt" ? "gpt" : "msdos", "mkpart", ...end, "20MiB", "40MiB"]);
      settle();
      fill(`${disk}1`);
      const links = run("udevadm", ["info", "--query=symlink", `--name=${disk}1`])
        .trim()
        .split(" ");
      const byId = links.find((link) => link.startsWith("disk/by-id/wwn-"));
      const byUuid = links.find((link) => link.startsWith("disk/by-partuuid/"));
      const names = [`${disk}1`, join("/dev", byId ?? "no wwn"), join("/dev", byUuid ?? "no partuuid")];
      await host.define("parts", ...blockDisks(names));
      await host.define("runs", ...blockDisks([`${disk}2`]));
      await host.start("runs");
      await known("runs");
      const before = contentOf(disk);

      const { proposals, left } = await plan({ domain: "parts" });
      expect(left).toEqual([]);
      expect(proposals).toMatchObject([{ type: "disk", action: "define", domains: ["parts"] }]);
      const [proposal] = proposals;
      expect([...(proposal?.places ?? [])].sort()).toEqual([...names].sort());
      const { source } = readPool(proposal?.xml ?? "");
      expect(source.format).toBe(label);
      // The kernel may give the disk another letter at the next boot.
      expect(source.devices[0]?.path).toMatch(/^\/dev\/disk\/by-id\//);
      expect(realpathSync(source.devices[0]?.path ?? "")).toBe(disk);
      expect((await plan({ path: names[2] ?? "" })).proposals).toMatchObject([
        { name: proposal?.name, places: [names[2]] },
      ]);

      expect(await host.cistern("adopt", names[0] ?? "", "--yes")).toMatchObject({
        status: 0,
        stdout: `Pool ${proposal?.name} defined, started and marked as autostarted\n`,
      });
      const pool = await host.connection.lookupPool(proposal?.name ?? "");
      const volumes = await pool.listVolumes();
      expect(volumes).toHaveLength(2);
      const [first, second] = volumes.map(({ name }) => `${proposal?.name}/${name}`).sort();
      await expect.poll(() => placesOf("parts")).toEqual([first, first, first]);
      await expect.poll(() => placesOf("runs")).toEqual([second]);
      expect(await plan({ domain: "runs" })).toEqual({ proposals: [], left: [] });
      expect(contentOf(disk)).toBe(before);

      await host.undefineAll();
      await pool.stop();
      await pool.undefine();
    },
  );

  it("a whole disk: no pool, and why", async () => {
    const disk = disks[1] ?? "";
    fill(disk);
    const before = contentOf(disk);
    await host.define("whole", ...blockDisks([disk]));
    await known("whole");
    const reason =
      "it is a whole disk, which only pools of type scsi, iscsi and mpath have, and with it all others of its host";
    expect(await plan({ domain: "whole" })).toEqual({ proposals: [], left: [{ place: disk, reason }] });
    const { status, stdout } = await host.cistern("adopt", "--domain", "whole", "--yes");
    expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining(disk) });
    expect(contentOf(disk)).toBe(before);
  });

  it("a file on a mounted volume of one pool, below the target of another: a pool of its directory", async () => {
    await host.pool("shelves", "/srv/shelf");
    expect((await host.cistern("vol-list", "shelves")).stdout).toContain("guests");
    const disk = join(MOUNTED, "one.img");
    run("truncate", ["--size", "1M", disk]);
    await host.define("kept", fileDisk(disk, "sda"));
    await known("kept");
    const { proposals, left } = await plan({ domain: "kept" });
    expect(left).toEqual([]);
    expect(proposals).toMatchObject([{ name: "guests", type: "dir", action: "define", places: [disk] }]);
    expect(readPool(proposals[0]?.xml ?? "").target.path).toBe(MOUNTED);
    expect((await host.cistern("adopt", MOUNTED, "--yes")).status).toBe(0);
    await expect.poll(() => placesOf("kept")).toEqual(["guests/one.img"]);
  });
});
