import { execFileSync } from "node:child_process";
import { linkSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { readDomain } from "@cistern/documents";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { attachLoop, partitionRequirements } from "../../../../tests/support/loop.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import { Silences } from "../../dist/attachments/identity/silences.js";
import { Resolver } from "../../dist/attachments/resolver.js";
import type { Use } from "../../dist/attachments/use.js";
import { VolumeIdentities } from "../../dist/attachments/volume-identities.js";
import { volumesOf } from "../../dist/attachments/volume-match.js";
import { HostError } from "../../dist/host/index.js";
import { standIn } from "../drivers/stand-in.js";
import { Storage } from "../volumes/storage.js";
import { type GuestDisk, guest } from "./guests.js";

const MIB = 1_048_576;
/** Several that take as long as one may. */
const LOOKS_MS = 30_000;
let storage: Storage;
beforeEach(async () => {
  storage = await Storage.open();
});
afterEach(() => storage.close());

/** Everything really lies in the directory of one pool. */
async function poolWith(...files: string[]): Promise<string> {
  const directory = storage.directory("pool");
  for (const file of files) writeFileSync(`${directory}/${file}`, file);
  await storage.started("images", directory);
  return directory;
}

async function usesOf(...disks: GuestDisk[]): Promise<Use[]> {
  await new VolumeIdentities(storage.registry, storage.backends.hostAt, new Silences()).catchUp();
  const resolver = new Resolver(storage.backends.hostAt, storage.registry, new Silences());
  return resolver.usesOf(guest("g", disks));
}

/** Once it is all known: on a busy machine a look may not be answered in time, and the daemon looks again later. */
async function knownUsesOf(disk: GuestDisk): Promise<Use[]> {
  let uses: Use[] = [];
  const problems = async () => {
    uses = await usesOf(disk);
    return uses.flatMap(({ isUnknown, problem }) => (isUnknown ? [problem] : []));
  };
  await expect.poll(problems, { timeout: LOOKS_MS }).toEqual([]);
  return uses;
}

/** "role volume,volume through a>b", or the place where it is no volume. */
function told(uses: readonly Use[]): string[] {
  return uses.map((use) => {
    const volumes = volumesOf(use, storage.registry).map(({ pool, volume }) => `${pool.name}/${volume.name}`);
    const through = use.through.map((place) => place.split("/").at(-1)).join(">");
    return `${use.role} ${volumes.join(",") || use.place}${through === "" ? "" : ` through ${through}`}`;
  });
}

const qemuImg = (...args: string[]): void =>
  void execFileSync("qemu-img", args, { stdio: ["ignore", "ignore", "pipe"] });
const root = missing({ root: true, programs: ["mount"] });

describe("one file by many names", () => {
  it("a symlink to it, one to its directory, a hard link and dots are all the volume", async () => {
    const directory = await poolWith("a.img");
    symlinkSync(`${directory}/a.img`, storage.path("link"));
    symlinkSync(directory, storage.path("linked"));
    linkSync(`${directory}/a.img`, storage.path("hard"));
    const names = ["pool/a.img", "link", "linked/a.img", "hard", "pool/../linked/./a.img"];
    const uses = await usesOf(
      ...names.map((name, index) => ({ target: `vd${"abcde"[index]}`, source: `file='${storage.path(name)}'` })),
    );
    expect(told(uses)).toEqual(names.map(() => "disk images/a.img"));
    expect(new Set(uses.map(({ identity }) => identity)).size).toBe(1);
  });

  it("a bind mount of its directory is the volume, whichever of the two the pool is over", async (context) => {
    context.skip(root !== null, root ?? "");
    const directory = await poolWith("a.img");
    const mounted = storage.directory("mounted");
    execFileSync("mount", ["--bind", directory, mounted]);
    storage.laboratory.onClose(() => execFileSync("umount", [mounted]));
    expect(told(await usesOf({ source: `file='${mounted}/a.img'` }))).toEqual(["disk images/a.img"]);
    await storage.started("again", mounted);
    expect(told(await usesOf({ source: `file='${directory}/a.img'` }))).toEqual(["disk images/a.img,again/a.img"]);
  });

  it("a volume that is a symlink is what it leads to, and another file beside it is not", async () => {
    writeFileSync(storage.path("outside"), "x");
    writeFileSync(storage.path("other"), "y");
    const directory = storage.directory("pool");
    symlinkSync(storage.path("outside"), `${directory}/linked.img`);
    await storage.started("images", directory);
    const uses = await usesOf(
      { source: `file='${storage.path("outside")}'` },
      { target: "vdb", source: `file='${storage.path("other")}'` },
    );
    expect(told(uses)).toEqual(["disk images/linked.img", `disk ${storage.path("other")}`]);
  });

  it("a missing file is known by its real path, so that it is found when it is there", async () => {
    const directory = await poolWith();
    symlinkSync(directory, storage.path("linked"));
    const [use] = await usesOf({ source: `file='${storage.path("linked/late.img")}'` });
    expect(use).toMatchObject({ identity: `path:${directory}/late.img`, isUnknown: false });
    expect(use?.problem).toContain("does not exist");
    writeFileSync(`${directory}/late.img`, "");
    await storage.scan(storage.registry.byName("images"));
    expect(use === undefined ? [] : told([use])).toEqual(["disk images/late.img"]);
  });

  it("a pool and a volume's name are the volume; in a pool that is not active it is not known what it is", async () => {
    await poolWith("a.img");
    const disk = (pool: string) => ({ type: "volume", source: `pool='${pool}' volume='a.img'` });
    expect(told(await usesOf(disk("images")))).toEqual(["disk images/a.img"]);
    const [use] = await usesOf(disk("asleep"));
    expect(use).toMatchObject({ place: "asleep/a.img", isUnknown: true, problem: 'The pool "asleep" is not active.' });
  });
});

it("a socket of vhost-user is no image, and need not be there before its guest starts", async () => {
  const socket = storage.path("vhost.sock");
  const [use] = await usesOf({ type: "vhostuser", source: `type='unix' path='${socket}'` });
  expect(use).toMatchObject({ place: `vhost-user:${socket}`, realPath: socket, problem: null, isUnknown: false });
});

describe("state that libvirt makes when a guest starts", () => {
  const UUID = "425f4a40-34fe-4a32-b59b-f993b3513311";
  /** Of a user's session, whose definitions lie beside that state. */
  const problemsOf = async (machine: string, when: "live" | "next-boot"): Promise<Record<string, boolean>> => {
    const document = readDomain(`<domain type='kvm'><name>g</name><uuid>${UUID}</uuid>${machine}</domain>`);
    const source = storage.directory("libvirt/qemu");
    const times = { live: when === "live" ? document : null, persistent: when === "live" ? null : document };
    const domain = { source, name: "g", uuid: UUID, isLive: when === "live", problem: null, ...times };
    const resolver = new Resolver(storage.backends.hostAt, storage.registry, new Silences());
    const uses = await resolver.usesOf({ ...domain, state: "unknown" });
    return Object.fromEntries(
      uses.map(({ role, place, problem }) => [`${role} ${place.slice(storage.path("").length + 1)}`, problem === null]),
    );
  };
  const named = (format: string) =>
    `<os><nvram format='${format}'>${storage.path("vars")}</nvram><kernel>${storage.path("kernel")}</kernel></os>
     <devices><tpm><backend type='emulator' version='2.0'/></tpm></devices>`;

  it("is nothing missing before the start, and of a running guest only where its document places it", async () => {
    const tpm = `tpm libvirt/qemu/swtpm/${UUID}/tpm2`;
    for (const format of ["raw", "qcow2"]) {
      const before = { "nvram vars": true, "kernel kernel": false, [tpm]: true };
      expect(await problemsOf(named(format), "next-boot")).toEqual(before);
      expect(await problemsOf(named(format), "live")).toEqual({ ...before, "nvram vars": false });
    }
    expect(await problemsOf("<os firmware='efi'/>", "live")).toEqual({ "nvram libvirt/qemu/nvram/g_VARS.fd": true });
  });
});

describe("what an image rests on", () => {
  it("is read from the images where the document says nothing, data files too", async () => {
    const directory = storage.directory("pool");
    qemuImg("create", "-q", "-f", "raw", `${directory}/base.raw`, "1M");
    qemuImg(
      "create",
      "-q",
      "-f",
      "qcow2",
      "-o",
      `data_file=${directory}/m.data,data_file_raw=on`,
      `${directory}/m.qcow2`,
      "1M",
    );
    qemuImg("create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", `${directory}/middle.qcow2`);
    qemuImg("create", "-q", "-f", "qcow2", "-b", "middle.qcow2", "-F", "qcow2", `${directory}/top.qcow2`);
    await storage.started("images", directory);
    const disk = { source: `file='${directory}/top.qcow2'`, format: "qcow2" };
    expect(told(await usesOf(disk))).toEqual([
      "disk images/top.qcow2",
      "backing images/middle.qcow2",
      "backing images/base.raw through middle.qcow2",
    ]);
    expect(told(await usesOf({ source: `file='${directory}/m.qcow2'`, format: "qcow2" }))).toEqual([
      "disk images/m.qcow2",
      "data-file images/m.data",
    ]);
  });

  it("a scan that saw the chain is as good as reading it, and a change since is read", async () => {
    const directory = storage.directory("pool");
    for (const base of ["one", "two"]) qemuImg("create", "-q", "-f", "raw", `${directory}/${base}`, "1M");
    qemuImg("create", "-q", "-f", "qcow2", "-b", "one", "-F", "raw", `${directory}/top`);
    // A change just before a scan is no evidence.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const pool = await storage.started("images", directory);
    expect(pool.volumes.get("top")?.evidence).not.toBeNull();
    const disk = { source: `file='${directory}/top'`, format: "qcow2" };
    expect(told(await usesOf(disk))).toEqual(["disk images/top", "backing images/one"]);
    qemuImg("rebase", "-u", "-b", "two", "-F", "raw", `${directory}/top`);
    expect(told(await usesOf(disk))).toEqual(["disk images/top", "backing images/two"]);
  });

  it("is what the document says and what the headers say together", async () => {
    const directory = await poolWith("said");
    qemuImg("create", "-q", "-f", "raw", `${directory}/real`, "1M");
    qemuImg("create", "-q", "-f", "qcow2", "-b", "real", "-F", "raw", `${directory}/top`);
    await storage.scan(storage.registry.byName("images"));
    const more = `<backingStore type='file'><format type='raw'/><source file='${directory}/said'/></backingStore>`;
    const uses = await usesOf({ source: `file='${directory}/top'`, format: "qcow2", more });
    expect(told(uses).sort()).toEqual(["backing images/real", "backing images/said", "disk images/top"]);
  });

  it("a disk that is declared raw is not looked into, and a chain that breaks off is not all known", async () => {
    const directory = await poolWith();
    qemuImg("create", "-q", "-f", "raw", `${directory}/base`, "1M");
    qemuImg("create", "-q", "-f", "qcow2", "-b", "base", "-F", "raw", `${directory}/top`);
    renameSync(`${directory}/base`, storage.path("moved"));
    const source = `file='${directory}/top'`;
    expect(told(await usesOf({ source }))).toEqual([`disk ${directory}/top`]);
    const [top] = await usesOf({ source, format: "qcow2" });
    expect(top).toMatchObject({ isUnknown: true, problem: expect.stringContaining("could not be followed") });
  });
});

describe("devices", () => {
  const loops = missing(partitionRequirements);

  it("a loop device leads on to its file, by whatever node, and the file's chain of devices", {
    timeout: 3 * LOOKS_MS,
  }, async (context) => {
    context.skip(loops !== null, loops ?? "");
    const loop = storage.laboratory.keep(attachLoop(MIB));
    const file = execFileSync("losetup", ["--noheadings", "--output", "BACK-FILE", loop.device], {
      encoding: "utf8",
    }).trim();
    symlinkSync(loop.device, storage.path("by-id"));
    const direct = await knownUsesOf({ type: "block", source: `dev='${loop.device}'` });
    const linked = await knownUsesOf({ type: "block", source: `dev='${storage.path("by-id")}'` });
    // Whoever had the device before may have left partitions, which the kernel takes away a moment later.
    const own = direct.filter(({ place }) => !place.startsWith(`${loop.device}p`));
    expect(own.map(({ place, through }) => [place, through])).toEqual([
      [loop.device, []],
      [file, []],
    ]);
    expect(linked.map(({ identity }) => identity)).toEqual(expect.arrayContaining(own.map(({ identity }) => identity)));
    expect(direct[0]?.identity).toMatch(/^block:\d+$/);
  });

  it("a partition leads to its disk, and a disk to its partitions but no further", {
    timeout: 3 * LOOKS_MS,
  }, async (context) => {
    context.skip(loops !== null, loops ?? "");
    const loop = storage.laboratory.keep(attachLoop(16 * MIB, { hasPartitions: true }));
    execFileSync("parted", [
      "--script",
      loop.device,
      "mklabel",
      "gpt",
      "mkpart",
      "a",
      "1MiB",
      "4MiB",
      "mkpart",
      "b",
      "4MiB",
      "8MiB",
    ]);
    const placesOf = async (device: string) =>
      (await knownUsesOf({ type: "block", source: `dev='${device}'` })).map(({ place }) => place);
    const file = execFileSync("losetup", ["--noheadings", "--output", "BACK-FILE", loop.device], {
      encoding: "utf8",
    }).trim();
    expect(await placesOf(`${loop.device}p1`)).toEqual([`${loop.device}p1`, loop.device, file]);
    expect((await placesOf(loop.device)).sort()).toEqual(
      [loop.device, `${loop.device}p1`, `${loop.device}p2`, file].sort(),
    );
  });

  it("one of which the kernel does not tell in time may rest on anything", async (context) => {
    context.skip(loops !== null, loops ?? "");
    const loop = storage.laboratory.keep(attachLoop(MIB));
    const host = standIn(storage.laboratory.host, {
      openDirectory: async (path, options) => {
        if (path.startsWith("/sys/dev/block/"))
          throw new HostError("ETIMEDOUT", 110, `Opening "${path}" took too long`);
        return storage.laboratory.host.openDirectory(path, options);
      },
    });
    const resolver = new Resolver(async () => host, storage.registry, new Silences());
    const [use, ...parts] = await resolver.usesOf(guest("g", [{ type: "block", source: `dev='${loop.device}'` }]));
    expect(use).toMatchObject({ isUnknown: true, problem: expect.stringContaining("took too long") });
    expect(parts).toEqual([]);
  });

  it("that is named by its address is not called missing where the kernel does not tell in time", async () => {
    const devices = `<disk type='nvme' device='disk'><source type='pci' namespace='1'><address domain='0' bus='1' slot='0' function='0'/>
        </source><target dev='vda'/></disk>
      <hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host2'/><address bus='0' target='0' unit='0'/>
        </source></hostdev>`;
    const document = readDomain(`<domain type='kvm'><name>g</name><devices>${devices}</devices></domain>`);
    const told = async (error: HostError) => {
      const openDirectory = () => Promise.reject(error);
      const host = standIn(storage.laboratory.host, { openDirectory });
      const resolver = new Resolver(async () => host, storage.registry, new Silences());
      const uses = await resolver.usesOf({ ...guest("g", []), persistent: document });
      return uses.map(({ identity, isUnknown, problem }) => [identity, isUnknown, problem]);
    };
    expect(await told(new HostError("ETIMEDOUT", 110, "It took too long"))).toEqual([
      ["nvme:0000:01:00.0/1", true, '"nvme:0000:01:00.0/1" cannot be looked at: It took too long'],
      ["scsi:2:0:0:0", true, '"scsi:2:0:0:0" cannot be looked at: It took too long'],
    ]);
    expect(await told(new HostError("ENOENT", 2, "no such directory"))).toEqual([
      ["nvme:0000:01:00.0/1", false, null],
      ["scsi:2:0:0:0", false, "There is no disk at the SCSI address 2:0:0:0."],
    ]);
  });
});

describe("what is on other machines", () => {
  it("is the same image whichever of a cluster's hosts is named, and with a snapshot of it", async () => {
    const rbd = (target: string, name: string, inside: string) => {
      return { type: "network", target, source: `protocol='rbd' name='${name}'`, inside };
    };
    const uses = await usesOf(
      rbd("vda", "pool/image", "<host name='one'/><host name='two'/>"),
      rbd("vdb", "pool/image", "<host name='two' port='6789'/><snapshot name='s'/>"),
      rbd("vdc", "pool/other", "<host name='one'/>"),
    );
    expect(uses.map(({ identity, place }) => [identity, place])).toEqual([
      ["rbd:pool/image", "rbd:pool/image"],
      ["rbd:pool/image", "rbd:pool/image@s"],
      ["rbd:pool/other", "rbd:pool/other"],
    ]);
  });
});
