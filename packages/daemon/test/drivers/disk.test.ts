import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { attachLoop, partitionRequirements } from "../../../../tests/support/loop.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import { diskDriver } from "../../dist/drivers/disk.js";
import type { VolumeContext } from "../../dist/drivers/driver.js";
import type { Command } from "../../dist/host/host.js";
import { HostError } from "../../dist/host/index.js";
import type { UnitTrace } from "../../dist/jobs/job.js";
import { diskPool, pool as poolOf, volume, type Wanted } from "./documents.js";
import { create, errorOf, known, Laboratory, scan } from "./laboratory.js";
import { standIn } from "./stand-in.js";

const MiB = 1_048_576n;
const OVERWRITE = 8;
const reason = missing(partitionRequirements);

describe.skipIf(reason !== null)("pools of disks, on loop devices", { timeout: 120_000 }, () => {
  let laboratory: Laboratory;
  let device: string;
  beforeEach(() => {
    laboratory = new Laboratory();
    ({ device } = laboratory.keep(attachLoop(64 * 1024 * 1024, { hasPartitions: true })));
  });
  afterEach(() => laboratory.close());

  const nth = (number: number): string => `${basename(device)}p${number}`;
  const build = (pool: PoolDocument, flags = 0) => diskDriver.build?.(pool, laboratory.host, flags) ?? fail();
  const start = (pool: PoolDocument) =>
    diskDriver.start?.(pool, laboratory.host, laboratory.poolContext) ?? Promise.reject(fail());
  const labelled = async (format: string, target?: string): Promise<PoolDocument> => {
    const pool = diskPool(device, format, target);
    await build(pool);
    return pool;
  };
  const make = async (pool: PoolDocument, name: string, wanted: Wanted = {}, more: { source?: VolumeDocument } = {}) =>
    create(
      diskDriver,
      pool,
      volume(name, { capacityBytes: 4n * MiB, format: "none", ...wanted }),
      await laboratory.context(),
      more,
    );
  const remove = async (pool: PoolDocument, document: VolumeDocument, context?: VolumeContext) =>
    diskDriver.volumes?.remove?.(pool, document, 0, context ?? (await laboratory.context()));
  const found = async (pool: PoolDocument) => (await scan(diskDriver, pool, laboratory.host)).volumes;
  const names = async (pool: PoolDocument) => (await found(pool)).map(({ document }) => document.name);
  const parted = (...args: string[]): string => execFileSync("parted", ["-s", device, ...args], { encoding: "utf8" });

  describe("each label that parted writes", () => {
    // mac's first partition is the map itself, dvh's extended one its volume header.
    test.each<[string, readonly number[], readonly number[]]>([
      ["dos", [], [1, 2]],
      ["gpt", [], [1, 2]],
      ["bsd", [], [1, 2]],
      ["mac", [1], [2, 3]],
      ["sun", [], [1, 2]],
      ["pc98", [], [1, 2]],
      ["dvh", [9], [1, 2]],
    ])("%s: build, start, create, delete", async (format, there, fresh) => {
      const pool = await labelled(format);
      await start(pool);
      expect(await diskDriver.check(pool, laboratory.host)).toBe(true);
      const [first = 0, second = 0] = fresh;
      expect(await names(pool)).toEqual(there.map(nth));
      const made = [await make(pool, nth(first)), await make(pool, nth(second))];
      for (const { capacityBytes } of made) expect(capacityBytes).toBeGreaterThanOrEqual(4n * MiB);
      expect((await names(pool)).sort()).toEqual([...there, ...fresh].map(nth).sort());
      for (const document of made) await remove(pool, document);
      expect(await names(pool)).toEqual(there.map(nth));
      expect(laboratory.traces).toEqual(new Set());
    });

    test("a source that says no format is labelled as libvirt does it, and says so", async () => {
      const pool = await labelled("unknown");
      expect((await start(pool)).pool?.source.format).toBe("dos");
      expect(parted("print")).toContain("Partition Table: msdos");
    });
  });

  describe("what a scan tells", () => {
    test("of a disk labelled by DOS: sizes, extents and what is free, as libvirt 9.0 tells it of such a disk", async () => {
      const pool = await labelled("dos");
      await make(pool, nth(1), { capacityBytes: 5_000_000n });
      await make(pool, nth(2), { capacityBytes: 20_000_000n, format: "extended" });
      const after = await scan(diskDriver, pool, laboratory.host);
      expect(after).toMatchObject({
        capacityBytes: 67_107_840n,
        allocationBytes: 5_221_376n,
        availableBytes: 67_107_840n - 5_222_400n - 1_024n,
      });
      expect(after.pool.source.devices[0]?.freeExtents).toEqual([
        { startBytes: 5_223_424n, endBytes: 25_328_640n },
        { startBytes: 25_328_640n, endBytes: 67_107_840n },
      ]);
      const [first, extended] = after.volumes.map(({ document }) => document);
      expect(first).toMatchObject({
        type: "block",
        key: `/dev/${nth(1)}`,
        capacityBytes: 5_221_376n,
        allocationBytes: 5_221_376n,
        physicalBytes: 5_221_376n,
        source: [{ devicePath: device, extents: [{ startBytes: 1_024n, endBytes: 5_222_400n }] }],
        target: { path: `/dev/${nth(1)}`, format: "none", permissions: { owner: 0 } },
      });
      expect(first?.target.timestamps).not.toBeNull();
      expect(extended).toMatchObject({ capacityBytes: 20_106_240n, allocationBytes: 0n, physicalBytes: 1_024n });
    });

    test("the look after a new volume keeps what only the documents say; a refresh does not, as with libvirt", async () => {
      const pool = await labelled("dos");
      const before = [{ document: await make(pool, nth(1), { format: "linux" }), evidence: null }];
      const { signal } = laboratory.poolContext;
      const look = async (change: "made" | "removed") =>
        (await diskDriver.rescan?.(pool, laboratory.host, { change, known: known(before) }, signal))?.volumes[0]
          ?.document;
      expect((await look("made"))?.target.format).toBe("linux");
      expect((await look("removed"))?.target.format).toBe("none");
    });

    test("paths in a target of links are the links, of new volumes and of found ones", async () => {
      const links = mkdtempSync("/dev/cistern-test-");
      try {
        symlinkSync(`../${nth(1)}`, `${links}/first`);
        const pool = await labelled("gpt", links);
        const path = `${links}/first`;
        expect(await make(pool, nth(1))).toMatchObject({ name: nth(1), key: path, target: { path } });
        expect((await found(pool))[0]?.document).toMatchObject({ name: nth(1), key: path, target: { path } });
      } finally {
        rmSync(links, { recursive: true });
      }
    });

    test("a device that is named by a link", async () => {
      const link = laboratory.path("by-id");
      symlinkSync(device, link);
      const pool = diskPool(link, "gpt");
      await build(pool);
      const made = await make(pool, nth(1));
      expect(made).toMatchObject({ key: `/dev/${nth(1)}`, source: [{ devicePath: link }] });
      await remove(pool, made);
      expect(await names(pool)).toEqual([]);
    });

    test("a disk of 4,096 bytes a sector", async () => {
      const { device: large } = laboratory.keep(
        attachLoop(64 * 1024 * 1024, { hasPartitions: true, sectorBytes: 4_096 }),
      );
      for (const format of ["gpt", "dos"]) {
        const pool = diskPool(large, format);
        await build(pool, OVERWRITE);
        const made = await make(pool, `${basename(large)}p1`, { capacityBytes: 5_000_000n });
        expect(made.capacityBytes).toBeGreaterThanOrEqual(5_000_000n);
        expect(made.capacityBytes % 4_096n).toBe(0n);
      }
    });
  });

  describe("primary, extended and logical partitions", () => {
    test("four of the table, then logical ones in the extended; a removed one gives its number to the next", async () => {
      const pool = await labelled("dos");
      await make(pool, nth(1), { format: "linux" });
      const extended = await make(pool, nth(2), { format: "extended", capacityBytes: 30n * MiB });
      expect(extended.target.format).toBe("extended");
      for (const number of [3, 4]) await make(pool, nth(number), { format: "linux-swap" });
      for (const number of [5, 6, 7]) await make(pool, nth(number), { format: "fat32" });
      const five = (await found(pool)).find(({ document }) => document.name === nth(5))?.document;
      const six = (await found(pool)).find(({ document }) => document.name === nth(6))?.document;
      const logical = (await found(pool)).filter(({ document }) => [5, 6, 7].map(nth).includes(document.name));
      const sum = logical.reduce((bytes, { document }) => bytes + document.capacityBytes, 0n);
      expect((await found(pool)).find(({ document }) => document.name === nth(2))?.document.allocationBytes).toBe(sum);
      if (five === undefined || six === undefined) throw new Error("they are not there");
      await remove(pool, five);
      // The sixth is the fifth now.
      expect((await names(pool)).sort()).toEqual([1, 2, 3, 4, 5, 6].map(nth));
      expect(await errorOf(remove(pool, six))).toMatch(/^55\/18 .*it is another one, the pool has to be refreshed$/);
      expect(await errorOf(make(pool, nth(8)))).toBe(
        `8/18 invalid argument: invalid partition name '${nth(8)}', expected '${nth(7)}'`,
      );
      expect(await errorOf(make(pool, nth(7), { format: "extended" }))).toBe(
        "1/18 internal error: extended partition already exists",
      );
      const wipe = async () => diskDriver.volumes?.wipe?.(pool, extended, 0, await laboratory.context());
      expect(await errorOf(wipe())).toBe(
        `3/18 this function is not supported by the connection driver: cannot wipe extended partition '/dev/${nth(2)}'`,
      );
    });

    test("without an extended one, the table is full after four", async () => {
      const pool = await labelled("dos");
      for (const number of [1, 2, 3, 4]) await make(pool, nth(number));
      expect(await errorOf(make(pool, nth(5)))).toBe(
        "1/18 internal error: no extended partition found and no primary partition available",
      );
    });
  });

  describe("what is refused, and leaves everything as it was", () => {
    test.each(["x", "1", "p1", "loop"])("the name '%s'", async (name) => {
      const pool = await labelled("gpt");
      const before = parted("unit", "B", "print");
      expect(await errorOf(make(pool, name))).toBe(
        `8/18 invalid argument: invalid partition name '${name}', expected '${nth(1)}'`,
      );
      expect(await errorOf(make(pool, nth(2)))).toBe(
        `8/18 invalid argument: invalid partition name '${nth(2)}', expected '${nth(1)}'`,
      );
      expect(parted("unit", "B", "print")).toBe(before);
      expect(laboratory.traces).toEqual(new Set());
    });

    test("more than there is, and another key than LUKS", async () => {
      const pool = await labelled("gpt");
      expect(await errorOf(make(pool, nth(1), { capacityBytes: 64n * MiB }))).toBe(
        "1/18 internal error: no large enough free extent",
      );
      const encryption = { format: "qcow", engine: null, secrets: [], cipher: null, ivgen: null } as const;
      expect(await errorOf(make(pool, nth(1), { encryption }))).toBe(
        "67/18 unsupported configuration: storage pool only supports LUKS encrypted volumes",
      );
    });
  });

  describe("labels that do not fit", () => {
    test("a device that is not there", async () => {
      const pool = diskPool("/dev/cistern-none", "gpt");
      expect(await diskDriver.check(pool, laboratory.host)).toBe(false);
      expect(await errorOf(start(pool))).toBe("8/18 invalid argument: device path '/dev/cistern-none' doesn't exist");
      expect(await errorOf(build(pool))).toBe(
        "75/18 Storage pool probe failed: Failed to create filesystem probe for device /dev/cistern-none",
      );
    });

    test("a disk without a label", async () => {
      const unlabelled = (format: string) => errorOf(start(diskPool(device, format)));
      expect(await unlabelled("gpt")).toBe(
        `75/18 Storage pool probe failed: Device '${device}' is unrecognized, requires build`,
      );
      for (const format of ["bsd", "dvh", "pc98"]) {
        expect(await unlabelled(format)).toBe("9/18 operation failed: Unrecognized disk label found, requires build");
      }
      expect(await errorOf(scan(diskDriver, diskPool(device, "gpt"), laboratory.host))).toMatch(
        new RegExp(`^1/0 .*parted.* ${device} .*unrecognised disk label`, "s"),
      );
    });

    test("another label, and the same one again", async () => {
      const pool = await labelled("gpt");
      const other = diskPool(device, "dos");
      expect(await diskDriver.check(other, laboratory.host)).toBe(false);
      expect(await errorOf(start(other))).toBe(
        `55/18 Requested operation is not valid: Format of device '${device}' does not match the expected format 'dos'`,
      );
      expect(await errorOf(build(other))).toBe(
        `76/18 Storage pool already built: Format of device '${device}' does not match the expected format 'dos', forced overwrite is necessary`,
      );
      expect(await errorOf(build(pool))).toBe(
        `76/18 Storage pool already built: Device '${device}' already formatted using 'gpt'`,
      );
      const known = "9/18 operation failed: Known, but different label format present, requires build --overwrite";
      expect(await errorOf(build(diskPool(device, "dvh")))).toBe(known);
      expect(await errorOf(start(diskPool(device, "dvh")))).toBe(known);
      await build(diskPool(device, "dvh"), OVERWRITE);
      expect(await errorOf(build(diskPool(device, "dvh")))).toBe(
        "55/18 Requested operation is not valid: Disk label already formatted using 'dvh'",
      );
      // What blkid does not know, parted does.
      await build(diskPool(device, "bsd"), OVERWRITE);
      expect(await errorOf(build(other))).toMatch(/^76\/18 .* forced overwrite is necessary$/);
    });

    test.each(["gpt", "dvh"])(
      "a file system is not overwritten by a label of %s unless it is wanted",
      async (format) => {
        execFileSync("mkfs.ext4", ["-q", "-F", device]);
        expect(await errorOf(build(diskPool(device, format)))).toMatch(/^(76|9)\/18 /);
        expect(execFileSync("blkid", ["-p", device], { encoding: "utf8" })).toContain("ext4");
        await build(diskPool(device, format), OVERWRITE);
        expect(await diskDriver.check(diskPool(device, format), laboratory.host)).toBe(true);
      },
    );

    test("flags", async () => {
      const pool = diskPool(device, "gpt");
      expect(await errorOf(build(pool, 16))).toBe(
        "8/18 unsupported flags (0x10) in function virStorageBackendDiskBuildPool",
      );
      expect(await errorOf(build(pool, 12))).toMatch(/^8\/18 .*mutually exclusive/);
    });

    test("a pool that was deleted has no label", async () => {
      const pool = await labelled("gpt");
      await make(pool, nth(1));
      await diskDriver.delete?.(pool, laboratory.host, 0);
      expect(await diskDriver.check(pool, laboratory.host)).toBe(false);
      await build(pool);
      expect(await names(pool)).toEqual([]);
    });
  });

  describe("tools that fail", () => {
    const failing = async (change: (command: Command) => Command | Error): Promise<VolumeContext> => {
      const context = await laboratory.context();
      const run: typeof context.host.run = async (command, options) => {
        const changed = change(command);
        if (changed instanceof Error) throw changed;
        return laboratory.host.run(changed, options);
      };
      return { ...context, host: standIn(context.host, { run }) };
    };
    const isPart = ({ program, args }: Command, word: string) => program === "parted" && args[1] === word;

    test("parted is not installed", async () => {
      const context = await failing(() => new HostError("ENOENT", 2, "not found"));
      expect(await errorOf(scan(diskDriver, diskPool(device, "gpt"), context.host))).toMatch(
        /^38\/0 .*Cannot find 'parted' in path/,
      );
    });

    test("the partition was made, but parted says that it failed: it is removed again", async () => {
      const pool = await labelled("gpt");
      const context = await failing((command) => {
        if (!isPart(command, "mkpart")) return command;
        execFileSync(command.program, command.args.map(String));
        return { program: "sh", args: ["-c", "echo the kernel does not know >&2; exit 1"] };
      });
      const call = create(diskDriver, pool, volume(nth(1), { format: "none" }), context);
      expect(await errorOf(call)).toMatch(/^1\/0 .*unexpected exit status 1: .*the kernel does not know/s);
      expect(await names(pool)).toEqual([]);
      expect(laboratory.traces).toEqual(new Set());
    });

    test("what cannot be removed again stays on record, and the next daemon does it", async () => {
      const pool = await labelled("gpt");
      await make(pool, nth(1));
      const context = await failing((command) => {
        if (isPart(command, "rm")) return { program: "false", args: [] };
        if (!isPart(command, "mkpart")) return command;
        execFileSync(command.program, command.args.map(String));
        return { program: "false", args: [] };
      });
      await errorOf(create(diskDriver, pool, volume(nth(2), { format: "none" }), context));
      const [trace] = [...laboratory.traces] as UnitTrace[];
      if (trace === undefined) throw new Error("nothing is on record");
      expect(trace).toMatchObject({ kind: "unit", poolType: "disk", place: device, name: nth(2) });
      expect(trace.identity).toMatch(/^[0-9a-f-]{36} \d+ \d+$/);
      const undo = (unit: UnitTrace) => diskDriver.volumes?.undo?.(unit, laboratory.host);

      const [uuid = "", begin = "", end = ""] = trace.identity.split(" ");
      expect(await undo({ ...trace, identity: `${uuid} ${BigInt(begin) + 512n} ${end}` })).toBe(
        "nothing is left of it",
      );
      expect(await undo({ ...trace, identity: `${uuid} ${begin} ${BigInt(end) + 512n}` })).toBe(
        "nothing is left of it",
      );
      expect(await undo({ ...trace, identity: `${uuid.replace(/^./, "x")} ${begin} ${end}` })).toBe(
        `'${device}' has another partition table by now: nothing was removed`,
      );
      expect(await errorOf(Promise.resolve(undo({ ...trace, identity: "17408" })))).toMatch(/^1\/18 .*not understood/);
      expect(await names(pool)).toEqual([nth(1), nth(2)]);

      expect(await undo(trace)).toBe(`partition '${nth(2)}' of '${device}' was removed`);
      expect(await names(pool)).toEqual([nth(1)]);
      expect(await undo(trace)).toBe("nothing is left of it");
    });

    test("a partition that somebody has mounted is not removed", async () => {
      const pool = await labelled("gpt");
      const made = await make(pool, nth(1), { capacityBytes: 16n * MiB });
      execFileSync("mkfs.ext4", ["-q", "-F", `/dev/${nth(1)}`]);
      mkdirSync(laboratory.path("mounted"));
      execFileSync("mount", [`/dev/${nth(1)}`, laboratory.path("mounted")]);
      try {
        expect(await errorOf(remove(pool, made))).toMatch(/^55\/18 .*p1': it is in use: .*partx --delete --nr 1:1 /s);
        expect(await names(pool)).toEqual([nth(1)]);
      } finally {
        execFileSync("umount", [laboratory.path("mounted")]);
      }
    });

    test("a logical partition is not renumbered under those who use it", async () => {
      const pool = await labelled("dos");
      for (const number of [1, 2, 3]) await make(pool, nth(number), { capacityBytes: MiB });
      await make(pool, nth(4), { format: "extended", capacityBytes: 30n * MiB });
      const [five] = [await make(pool, nth(5)), await make(pool, nth(6))];
      const before = parted("unit", "B", "print");
      const used = openSync(`/dev/${nth(6)}`, "r");
      try {
        expect(await errorOf(remove(pool, five))).toMatch(/^55\/18 .*numbers that would change, are in use: .*partx /s);
        expect(parted("unit", "B", "print")).toBe(before);
      } finally {
        closeSync(used);
      }
      await remove(pool, five);
      expect((await names(pool)).sort()).toEqual([1, 2, 3, 4, 5].map(nth));
      const extended = (await found(pool)).find(({ document }) => document.name === nth(4))?.document;
      if (extended === undefined) throw new Error("it is not there");
      const inside = openSync(`/dev/${nth(5)}`, "r");
      expect(await errorOf(remove(pool, extended))).toMatch(/^55\/18 .*p4': .* are in use/s);
      closeSync(inside);
      await remove(pool, extended);
      expect((await names(pool)).sort()).toEqual([1, 2, 3].map(nth));
    });
  });

  describe("content", () => {
    const directory = () => {
      mkdirSync(laboratory.path("images"), { recursive: true });
      return poolOf("dir", laboratory.path("images"));
    };
    const head = (node: string, length: number, at = 0): string => {
      const fd = openSync(node, "r");
      const bytes = Buffer.alloc(length);
      readSync(fd, bytes, 0, length, at);
      closeSync(fd);
      return bytes.toString("latin1");
    };

    test("a copy of a file that has holes shows zeros where the disk held something else", async () => {
      const pool = await labelled("gpt");
      writeFileSync(laboratory.path("old"), Buffer.alloc(40 * 1024 * 1024, "old"));
      const first = await make(pool, nth(1), { capacityBytes: 40n * MiB });
      execFileSync("dd", [`if=${laboratory.path("old")}`, `of=/dev/${nth(1)}`, "bs=1M", "conv=fsync", "status=none"]);
      await remove(pool, first);
      directory();
      const path = laboratory.path("images", "source");
      writeFileSync(path, "begin");
      execFileSync("truncate", ["-s", "8M", path]);
      const source = { ...volume("source", { capacityBytes: 8n * MiB }), target: { ...volume("x").target, path } };
      const copy = await make(pool, nth(1), { capacityBytes: 8n * MiB }, { source });
      expect(copy.capacityBytes).toBe(8n * MiB);
      execFileSync("cmp", ["-n", String(8n * MiB), path, `/dev/${nth(1)}`]);
      expect(head(`/dev/${nth(1)}`, 8)).toBe("begin\0\0\0");
    });

    test("a copy of a partition", async () => {
      const pool = await labelled("gpt");
      const source = await make(pool, nth(1));
      writeFileSync(`/dev/${nth(1)}`, "what a guest wrote");
      await make(pool, nth(2), { capacityBytes: 5n * MiB }, { source });
      expect(head(`/dev/${nth(2)}`, 18)).toBe("what a guest wrote");
    });

    test("a copy that fails leaves no partition", async () => {
      const pool = await labelled("gpt");
      const path = laboratory.path("images", "none");
      const source = { ...volume("none"), target: { ...volume("x").target, path } };
      expect(await errorOf(make(pool, nth(1), {}, { source }))).toMatch(/^\d+\/\d+ .*none/);
      expect(await names(pool)).toEqual([]);
      expect(laboratory.traces).toEqual(new Set());
    });

    test("encrypted: the capacity is the guest's, and the key opens it", async () => {
      const uuid = "2ec115d7-3a88-3ceb-bc12-0ac909a6fd87";
      laboratory.secrets.set(uuid, "open sesame");
      const secrets = [{ type: "passphrase", lookup: { uuid } }] as const;
      const encryption = { format: "luks", engine: null, secrets, cipher: null, ivgen: null } as const;
      const pool = await labelled("gpt");
      const made = await make(pool, nth(1), { encryption });
      expect(made.target.encryption).toMatchObject({ format: "luks" });
      const options = `driver=luks,key-secret=k,file.driver=host_device,file.filename=/dev/${nth(1)}`;
      const secret = ["--object", "secret,id=k,data=open sesame", "--image-opts", options];
      const info = execFileSync("qemu-img", ["info", "--output=json", ...secret], { encoding: "utf8" });
      expect(BigInt(JSON.parse(info)["virtual-size"])).toBeGreaterThanOrEqual(4n * MiB);
    });
  });
});

function fail(): never {
  throw new Error("the driver lacks it");
}
