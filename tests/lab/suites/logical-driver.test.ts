import { readFileSync, writeFileSync } from "node:fs";
import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { VolumeContext } from "../../../packages/daemon/dist/drivers/driver.js";
import { logicalDriver } from "../../../packages/daemon/dist/drivers/logical.js";
import { HostError } from "../../../packages/daemon/dist/host/host.js";
import { complies } from "../../../packages/daemon/test/drivers/compliance.js";
import { pool, volume, type Wanted } from "../../../packages/daemon/test/drivers/documents.js";
import { create, errorOf, Laboratory, scan } from "../../../packages/daemon/test/drivers/laboratory.js";
import { standIn } from "../../../packages/daemon/test/drivers/stand-in.js";
import { covers } from "../../support/covers.js";
import { type LoopDisk, loopDisk } from "../guest/loop.js";
import { prepareLvm } from "../guest/lvm.js";
import { untilMeasured } from "../guest/qemu-img.js";
import { attempt, run } from "../guest/run.js";
import { settle, startUdev } from "../guest/udev.js";

const MiB = 1_048_576n;
const DISK_BYTES = 128 * 1_048_576;
const OVERWRITE = 8;
const WITH_SNAPSHOTS = 2;

let groups = 0;
let disks: LoopDisk[] = [];

/** A group that is not there yet, over new disks. What the test before left is gone. */
function definition(count = 2, more: Partial<PoolDocument> = {}): PoolDocument {
  clear();
  disks = Array.from({ length: count }, () => loopDisk(DISK_BYTES));
  const name = `vg${groups++}`;
  const { source } = pool("logical", null);
  const devices = disks.map(({ device }) => ({ path: device, partSeparator: null, freeExtents: [] }));
  return pool("logical", `/dev/${name}`, { source: { ...source, name, devices, format: "lvm2" }, ...more });
}

function clear(): void {
  attempt("umount", ["/mnt"]);
  for (const name of [`vg${groups - 1}`, "elsewhere"]) attempt("vgremove", ["-q", "-ff", "-y", name]);
  if (disks.length > 0) attempt("pvremove", ["-q", "-ff", "-y", ...disks.map(({ device }) => device)]);
  for (const disk of disks) disk[Symbol.dispose]();
  disks = [];
}

beforeAll(() => {
  startUdev();
  prepareLvm();
  run("modprobe", ["--all", "dm-raid", "raid1", "dm-zero"]);
});
afterAll(clear);

complies("logical", {
  driver: logicalDriver,
  pool: async () => definition(),
  volume: (name) => volume(name, { capacityBytes: 8n * MiB }),
});

describe("a volume group", () => {
  let laboratory: Laboratory;
  let group: PoolDocument;
  let context: VolumeContext;
  const name = (): string => group.source.name ?? "";
  const { host } = new Laboratory();

  beforeEach(async () => {
    laboratory = new Laboratory();
    context = await laboratory.context();
  });
  afterEach(() => laboratory.close());

  const build = (flags = 0): Promise<void> => logicalDriver.build?.(group, host, flags) ?? Promise.resolve();
  const start = async (): Promise<void> => void (await logicalDriver.start?.(group, host, laboratory.poolContext));
  const stop = async (): Promise<void> => logicalDriver.stop?.(group, host, { ...laboratory.poolContext, made: [] });
  const up = async (): Promise<void> => {
    await build();
    await start();
  };
  const make = (volumeName: string, wanted: Wanted = {}, source?: VolumeDocument): Promise<VolumeDocument> =>
    create(
      logicalDriver,
      group,
      volume(volumeName, { capacityBytes: 8n * MiB, ...wanted }),
      context,
      source === undefined ? {} : { source },
    );
  const found = async (): Promise<VolumeDocument[]> =>
    (await scan(logicalDriver, group, host)).volumes.map(({ document }) => document);
  const names = async (): Promise<string[]> => (await found()).map((document) => document.name).sort();
  const remove = (document: VolumeDocument, flags = 0): Promise<void> =>
    logicalDriver.volumes?.remove?.(group, document, flags, context) ?? Promise.resolve();
  const lvs = (): string[] =>
    run("lvs", ["-a", "--noheadings", "-o", "lv_name", name()])
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "")
      .sort();

  describe("is built", () => {
    beforeEach(() => {
      group = definition();
    });

    test("not on a device that has a file system, and the device before it stays as it was", async () => {
      run("mkfs.ext4", ["-q", disks[1]?.device ?? ""]);
      expect(await errorOf(build())).toBe(
        `76/18 Storage pool already built: Format of device '${disks[1]?.device}' does not match the expected format ` +
          "'LVM2_member', forced overwrite is necessary",
      );
      expect(attempt("blkid", ["-p", disks[0]?.device ?? ""]).status).toBe(2);
    });

    test("on one that may be overwritten", async () => {
      run("mkfs.ext4", ["-q", disks[1]?.device ?? ""]);
      await build(OVERWRITE);
      await start();
      expect(await names()).toEqual([]);
    });

    test("once; a second time only over the first", async () => {
      await build();
      expect(await errorOf(build())).toBe(
        `76/18 Storage pool already built: Device '${disks[0]?.device}' already formatted using 'LVM2_member'`,
      );
      await build(OVERWRITE);
    });

    test("not on a device that is mounted, whatever flag is given", async () => {
      const device = disks[1]?.device ?? "";
      run("mkfs.ext4", ["-q", device]);
      run("mount", [device, "/mnt"]);
      expect(await errorOf(build(OVERWRITE))).toBe(`38/18 cannot use device '${device}': Device or resource busy`);
      run("umount", ["/mnt"]);
      run("e2fsck", ["-fn", device]);
    });

    test("not on a device of a group that is in use", async () => {
      await up();
      await make("a");
      expect(await errorOf(build(OVERWRITE))).toMatch(/^38\/18 cannot use device '.*': Device or resource busy$/);
      expect(await names()).toEqual(["a"]);
    });

    test("not without its device", async () => {
      group = {
        ...group,
        source: { ...group.source, devices: [{ path: "/dev/none", partSeparator: null, freeExtents: [] }] },
      };
      expect(await errorOf(build())).toBe(
        "75/18 Storage pool probe failed: Failed to create filesystem probe for device /dev/none",
      );
    });

    test("not under a name that is taken, and nothing is written then", async () => {
      await build();
      const taken = name();
      using other = loopDisk(DISK_BYTES);
      run("mkfs.ext4", ["-q", other.device]);
      const devices = [{ path: other.device, partSeparator: null, freeExtents: [] }];
      group = { ...group, source: { ...group.source, devices } };
      expect(await errorOf(build(OVERWRITE))).toBe(
        `1/0 internal error: Child process (/usr/sbin/vgcreate ${taken} ${other.device}) unexpected exit status 5:   ` +
          `A volume group called ${taken} already exists.\n`,
      );
      run("e2fsck", ["-fn", other.device]);
    });

    test("or not at all: devices that were taken are given back", async () => {
      const [first] = group.source.devices;
      if (first === undefined) throw new Error("no device");
      group = { ...group, source: { ...group.source, devices: [first, first] } };
      expect(await errorOf(build())).toMatch(/vgcreate .* unexpected exit status/);
      expect(run("pvs", ["--noheadings", "-o", "pv_name"])).not.toContain(first.path);
    });
  });

  describe("is found", () => {
    beforeEach(() => {
      group = definition();
    });

    test("by its name, and by one of its devices, if the document names any", async () => {
      expect(await errorOf(start())).toBe(
        `67/18 unsupported configuration: cannot find logical volume group name '${name()}'`,
      );
      await build();
      await start();
      const own = group;
      group = { ...own, source: { ...own.source, devices: [] } };
      await start();
      group = {
        ...own,
        source: { ...own.source, devices: [{ path: "/dev/none", partSeparator: null, freeExtents: [] }] },
      };
      expect(await errorOf(start())).toBe(
        `67/18 unsupported configuration: cannot find any matching source devices for logical volume group '${name()}'`,
      );
      run("ln", ["-s", disks[0]?.device ?? "", "/dev/by-some-link"]);
      group = {
        ...own,
        source: { ...own.source, devices: [{ path: "/dev/by-some-link", partSeparator: null, freeExtents: [] }] },
      };
      await start();
      run("rm", ["/dev/by-some-link"]);
    });

    test("usable while it has devices; without volumes it is what it was", async () => {
      await up();
      expect(await logicalDriver.check(group, host)).toBe(false);
      expect(await logicalDriver.check(group, host, true)).toBe(true);
      await make("a");
      expect(await logicalDriver.check(group, host)).toBe(true);
      await stop();
      expect(await logicalDriver.check(group, host, true)).toBe(false);
    });

    test("among the sources of pools", async () => {
      covers("logical", "real", "pool.discover");
      await build();
      const sources = await logicalDriver.discover?.(null, host, new AbortController().signal);
      expect(sources?.map((source) => [source.name, source.format, source.devices.map(({ path }) => path)])).toEqual([
        [name(), "lvm2", disks.map(({ device }) => device)],
      ]);
    });

    test("no more, when it is gone: LVM's words", async () => {
      await up();
      run("vgchange", ["-an", name()]);
      run("vgrename", [name(), "elsewhere"]);
      expect(await errorOf(scan(logicalDriver, group, host))).toBe(
        "1/0 internal error: Child process (/usr/sbin/lvs --separator '#' --noheadings --units b --unbuffered --nosuffix " +
          "--options lv_name,origin,uuid,devices,segtype,stripes,seg_size,vg_extent_size,size,lv_attr " +
          `${name()}) unexpected exit status 5:   Volume group "${name()}" not found\n  Cannot process volume group ${name()}\n`,
      );
    });

    test("not, where a tool is missing", async () => {
      const without = standIn(host, {
        run: async (command, options) => {
          if (command.program === "lvs") throw new HostError("ENOENT", 2, "no lvs");
          return host.run(command, options);
        },
      });
      await up();
      expect(await errorOf(scan(logicalDriver, group, without))).toBe(
        "38/0 Cannot find 'lvs' in path: No such file or directory",
      );
    });
  });

  describe("that is running", () => {
    beforeAll(async () => {
      laboratory = new Laboratory();
      group = definition();
      await up();
    });
    // All of them at once; the group stays.
    afterEach(() => run("lvremove", ["-q", "-ff", "-y", name()]));

    describe("shows", () => {
      test("volumes of every kind but what is inactive, no volume, or being made", async () => {
        const lvcreate = (...args: string[]) => run("lvcreate", ["-q", "--yes", ...args]);
        lvcreate("-n", "plain", "-L", "16M", name());
        lvcreate("-n", "striped", "-i2", "-L", "8M", name());
        lvcreate("-n", "mirrored", "--type", "raid1", "-m1", "-L", "8M", name());
        lvcreate("-n", "snap", "-L", "4M", "-s", `${name()}/plain`);
        lvcreate("-n", "sparse", "-L", "4M", "--type", "snapshot", "--virtualsize", "64M", name());
        lvcreate("--type", "thin-pool", "-L", "16M", "-n", "tp", name());
        lvcreate("-V", "1G", "-T", `${name()}/tp`, "-n", "thin");
        lvcreate("-kn", "-s", `${name()}/thin`, "-n", "thin-snap");
        lvcreate("-n", "off", "-L", "4M", name());
        run("lvchange", ["-an", `${name()}/off`]);
        lvcreate("-n", "cistern-new-0123456789abcdef", "-L", "4M", name());
        run("dd", ["if=/dev/urandom", `of=/dev/${name()}/thin`, "bs=1M", "count=8", "oflag=direct"]);
        const documents = new Map((await found()).map((document) => [document.name, document]));
        expect([...documents.keys()].sort()).toEqual([
          ...["mirrored", "plain", "snap", "sparse", "striped", "thin", "thin-snap"],
        ]);
        const sizes = (of: string): unknown => {
          const { capacityBytes, allocationBytes, backingStore } = documents.get(of) ?? volume("none");
          return [capacityBytes / MiB, allocationBytes / MiB, backingStore?.path ?? null];
        };
        expect(sizes("plain")).toEqual([16n, 16n, null]);
        expect(sizes("snap")).toEqual([16n, 4n, `/dev/${name()}/plain`]);
        expect(sizes("sparse")).toEqual([64n, 4n, null]);
        expect(sizes("thin")).toEqual([1024n, 7n, null]);
        expect(sizes("thin-snap")).toEqual([1024n, 0n, null]);
        expect(documents.get("striped")?.source.map(({ devicePath }) => devicePath)).toHaveLength(2);
        expect(documents.get("mirrored")?.source.map(({ devicePath }) => devicePath)).toEqual([
          "mirrored_rimage_0",
          "mirrored_rimage_1",
        ]);
      });
    });

    describe("makes", () => {
      test("volumes with the owner and mode that are wanted, under their name only, and forgets what it recorded", async () => {
        const made = await make("a", { mode: 0o640, owner: 33, group: 34 });
        expect(made.target.permissions).toMatchObject({ mode: 0o640, owner: 33, group: 34 });
        expect(made.key).toMatch(/^\w{6}(-\w{4}){5}-\w{6}$/);
        expect(made.source[0]?.extents).toEqual([{ startBytes: 0n, endBytes: 8n * MiB }]);
        expect(lvs()).toEqual(["a"]);
        expect([...laboratory.traces]).toEqual([]);
        settle();
        expect((await found())[0]?.target.permissions).toMatchObject({ mode: 0o640, owner: 33, group: 34 });
      });

      test("snapshots with less space than their origin", async () => {
        const origin = await make("a");
        writeFileSync("/tmp/bytes", Buffer.alloc(4096, 7));
        run("dd", ["if=/tmp/bytes", `of=${origin.target.path}`, "conv=fsync"]);
        const backing = { path: origin.target.path ?? "", format: "raw" };
        const snapshot = await make("s", { allocationBytes: 4n * MiB, backing });
        expect(snapshot).toMatchObject({ capacityBytes: 8n * MiB, allocationBytes: 4n * MiB });
        expect(snapshot.backingStore?.path).toBe(origin.target.path);
        run("dd", ["if=/dev/zero", `of=${origin.target.path}`, "bs=4096", "count=1", "conv=fsync"]);
        expect(run("dd", [`if=${snapshot.target.path}`, "bs=1", "count=4"])).toBe("\x07\x07\x07\x07");
      });

      test("sparse volumes", async () => {
        const made = await make("a", { capacityBytes: 64n * MiB, allocationBytes: 4n * MiB });
        expect(made).toMatchObject({ capacityBytes: 64n * MiB, allocationBytes: 4n * MiB });
        expect(lvs()).toEqual(["[a_vorigin]", "a"]);
      });

      test.each([
        [
          "a b",
          {},
          /^1\/0 .*\(\/usr\/sbin\/lvcreate --name 'a b' -L 8192K vg\d+ --yes\).* 3: {3}Logical volume name "a b" is invalid\./,
        ],
        ["snapshot1", {}, /Names starting "snapshot" are reserved/],
        ["v", { capacityBytes: 1024n * MiB }, /has insufficient free space \(\d+ extents\): 256 required/],
        ["a/b", {}, /^55\/18 .*volume name 'a\/b' cannot contain '\/'$/],
        ["cistern-new-0123456789abcdef", {}, /^55\/18 /],
        [
          "v",
          { backing: { path: "--config=x", format: "raw" } },
          /^67\/18 .*the backing store '--config=x' is no volume/,
        ],
        ["v", { backing: { path: "/dev/other/x", format: "raw" } }, /^67\/18 /],
      ] as const)("no volume '%s' (row %#)", async (volumeName, wanted, expected) => {
        expect(await errorOf(make(volumeName, wanted))).toMatch(expected);
        expect(lvs()).toEqual([]);
      });

      test("copies, which leave nothing when they fail", async () => {
        const a = await make("a");
        run("dd", ["if=/dev/urandom", `of=${a.target.path}`, "bs=1M", "count=8", "conv=fsync"]);
        const b = await make("b", { capacityBytes: 16n * MiB }, a);
        run("cmp", ["-n", String(8n * MiB), a.target.path ?? "", b.target.path ?? ""]);
        const gone = { ...a, target: { ...a.target, path: `/dev/${name()}/none` } };
        expect(await errorOf(make("c", {}, gone))).toMatch(/^38\/18 could not open input path/);
        expect(lvs()).toEqual(["a", "b"]);
        expect([...laboratory.traces]).toEqual([]);
      });

      test("sparse copies of what is not zero, if there is room for that", async () => {
        const a = await make("a", { capacityBytes: 32n * MiB });
        run("dd", ["if=/dev/zero", `of=${a.target.path}`, "bs=1M", "count=32", "conv=fsync"]);
        run("dd", ["if=/dev/urandom", `of=${a.target.path}`, "bs=1M", "count=1", "seek=20", "conv=fsync"]);
        const b = await make("b", { capacityBytes: 32n * MiB, allocationBytes: 4n * MiB }, a);
        run("cmp", [a.target.path ?? "", b.target.path ?? ""]);
        run("dd", ["if=/dev/urandom", `of=${a.target.path}`, "bs=1M", "count=8", "conv=fsync"]);
        expect(await errorOf(make("c", { capacityBytes: 32n * MiB, allocationBytes: 4n * MiB }, a))).toMatch(
          /^38\/18 .*Input\/output error$/,
        );
        expect(lvs()).toEqual(["[b_vorigin]", "a", "b"]);
      });

      test("encrypted volumes, of LUKS alone", async () => {
        laboratory.secrets.set("key", "open sesame");
        const encryption = {
          format: "luks",
          engine: null,
          secrets: [{ type: "passphrase", lookup: { usage: "key" } }],
          cipher: null,
          ivgen: null,
        } as const;
        const made = await untilMeasured(() => make("a", { encryption }));
        // 8 MiB and LUKS's own two, in extents of four.
        expect(made.capacityBytes).toBe(12n * MiB);
        const image = JSON.parse(
          run("qemu-img", ["info", "--output=json", "--image-opts", `driver=luks,file.filename=${made.target.path}`]),
        ) as { readonly "virtual-size": number };
        expect(BigInt(image["virtual-size"])).toBeGreaterThanOrEqual(8n * MiB);
        expect(
          readFileSync(made.target.path ?? "")
            .subarray(0, 4)
            .toString("latin1"),
        ).toBe("LUKS");
        expect(await errorOf(make("b", { encryption: { ...encryption, format: "qcow" } }))).toBe(
          "67/18 unsupported configuration: storage pool only supports LUKS encrypted volumes",
        );
      });

      test("nothing that a dead daemon left half-made", async () => {
        covers("logical", "real", "volume.undo");
        const unit = { kind: "unit", poolType: "logical", place: name(), identity: "x" } as const;
        run("lvcreate", ["-q", "--yes", "-n", "cistern-new-0123456789abcdef", "-L", "4M", name()]);
        const undo = (left: string, place = name()): Promise<string> =>
          logicalDriver.volumes?.undo?.({ ...unit, name: left, place }, host) ?? Promise.resolve("");
        expect(await undo("cistern-new-0123456789abcdef")).toBe(
          `'/dev/${name()}/cistern-new-0123456789abcdef' was removed`,
        );
        expect(await undo("cistern-new-0123456789abcdef")).toBe("nothing is left of it");
        await make("a");
        expect(await errorOf(undo("a"))).toMatch(/^55\/18 /);
        expect(await errorOf(undo("cistern-new-0123456789abcdef", "nogroup"))).toMatch(
          /Volume group "nogroup" not found/,
        );
        expect(lvs()).toEqual(["a"]);
      });
    });

    describe("keeps", () => {
      test("its volumes active while one is open", async () => {
        const a = await make("a");
        await make("b");
        await using open = await host.openFile(a.target.path ?? "", "read");
        expect(await errorOf(stop())).toBe(
          `1/0 internal error: Child process (/usr/sbin/vgchange -aln ${name()}) unexpected exit status 5:   ` +
            `Logical volume ${name()}/a in use.\n  Can't deactivate volume group "${name()}" with 1 open logical volume(s)\n`,
        );
        expect(await errorOf(logicalDriver.delete?.(group, host, 0) ?? Promise.resolve())).toMatch(
          new RegExp(`^55/18 .*volume group '${name()}' is still in use: 'a' is open$`),
        );
        expect(await names()).toEqual(["a", "b"]);
        await open.close();
        await stop();
        expect(await names()).toEqual([]);
      });

      test("snapshots with their origin, and both while one is open", async () => {
        const a = await make("a");
        const backing = { path: a.target.path ?? "", format: "raw" };
        const s = await make("s", { allocationBytes: 4n * MiB, backing });
        await make("t", { allocationBytes: 4n * MiB, backing });
        expect(await errorOf(remove(a))).toMatch(/^55\/18 .*volume 'a' is still in use. It has snapshots.*: 's', 't'$/);
        const open = await host.openFile(s.target.path ?? "", "read");
        expect(await errorOf(remove(a, WITH_SNAPSHOTS))).toMatch(/^55\/18 .*volume 'a' is still in use: 's' is open$/);
        expect(await names()).toEqual(["a", "s", "t"]);
        await open.close();
        await remove(a, WITH_SNAPSHOTS);
        expect(await names()).toEqual([]);
      });

      test("a volume that took another one's name", async () => {
        const a = await make("a");
        run("lvrename", [name(), "a", "b"]);
        await make("a");
        const { wipe, openForUpload } = logicalDriver.volumes ?? {};
        expect(await errorOf(remove(a))).toMatch(/^50\/18 /);
        expect(await errorOf(wipe?.(group, a, 0, context) ?? Promise.resolve())).toMatch(/^50\/18 /);
        expect(await errorOf(openForUpload?.(group, a, context) ?? Promise.resolve())).toMatch(/^50\/18 /);
        expect(lvs()).toEqual(["a", "b"]);
      });

      test("what a wipe would overflow", async () => {
        const sparse = await make("a", { capacityBytes: 64n * MiB, allocationBytes: 4n * MiB });
        const wipe = logicalDriver.volumes?.wipe;
        expect(await errorOf(wipe?.(group, sparse, 0, context) ?? Promise.resolve())).toBe(
          "3/18 this function is not supported by the connection driver: " +
            `logical volume '/dev/${name()}/a' is sparse, volume wipe not supported`,
        );
      });
    });
  });
});
