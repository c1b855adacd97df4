import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { VolumeDocument } from "@cistern/documents";
import { afterEach, beforeEach, describe, expect, it, type TestContext } from "vitest";
import { fuseRequirements, mountFuse } from "../../../../tests/support/fuse.js";
import { missing } from "../../../../tests/support/requirements.js";
import { directoryDriver } from "../../dist/drivers/directory.js";
import type { VolumeContext } from "../../dist/drivers/driver.js";
import type { Host } from "../../dist/host/host.js";
import { HostError } from "../../dist/host/index.js";
import { onFileSystems, type Place, type PlaceType } from "../host/places.js";
import { pool, volume, type Wanted } from "./documents.js";
import { create, errorOf, Laboratory } from "./laboratory.js";
import { hostWith, standIn } from "./stand-in.js";

const MIB = 1_048_576;
const LABEL = "system_u:object_r:svirt_image_t:s0:c1,c2";
const SHARING: ReadonlySet<PlaceType> = new Set<PlaceType>(["xfs", "btrfs"]);
const REFLINK = 2;
const PREALLOCATE_METADATA = 1;
const RESIZE_ALLOCATE = 1;
const RESIZE_SHRINK = 4;
const [ZERO, RANDOM, TRIM] = [0, 8, 9];

let laboratory: Laboratory;
beforeEach(() => {
  laboratory = new Laboratory();
});
afterEach(() => laboratory.close());

const contextOn = async ({ directory }: Place, more: Partial<VolumeContext> = {}): Promise<VolumeContext> => ({
  ...(await laboratory.context()),
  host: directory.host,
  ...more,
});
const definition = ({ path }: Place) => pool("dir", path);
const make = (
  place: Place,
  name: string,
  wanted: Wanted,
  context: VolumeContext,
  more: { source?: VolumeDocument; flags?: number } = {},
): Promise<VolumeDocument> => create(directoryDriver, definition(place), volume(name, wanted), context, more);

/** Bytes on the disk, as the file system counts them. */
const allocated = (path: string): number => {
  execFileSync("sync", [path]);
  return statSync(path).blocks * 512;
};
function freeBytes(path: string): number {
  execFileSync("sync", ["--file-system", path]);
  const { bfree, bsize } = statfsSync(path);
  return bfree * bsize;
}

/** Writes `bytes` at an offset of a file that is there. */
function put(path: string, offset: number, bytes: Uint8Array): void {
  const fd = openSync(path, "r+");
  writeSync(fd, bytes, 0, bytes.length, offset);
  closeSync(fd);
}

onFileSystems(["ext4", "xfs", "btrfs", "tmpfs"], (place) => {
  const forms: [string, Wanted, boolean][] = [
    ["an allocated raw file", {}, false],
    ["a raw clone", { allocationBytes: 0n }, true],
    ["an image that qemu-img makes", { format: "vdi" }, false],
    ["an image that qemu-img converts", { format: "qcow2" }, true],
  ];

  it.each(forms)(
    "%s is not there before it is complete, and replaces nothing that came meanwhile",
    async (_, wanted, isClone) => {
      const source = isClone ? await make(place(), "source", {}, await contextOn(place())) : undefined;
      const path = join(place().path, "a");
      const before = readdirSync(place().path);
      let seen: string[] | null = null;
      const growing = (): void => {
        seen = readdirSync(place().path);
        writeFileSync(path, "somebody else's");
      };
      const context = await contextOn(place(), { growing });
      const more = source === undefined ? {} : { source };
      const error = await errorOf(make(place(), "a", wanted, context, more));
      expect(seen).toEqual(before);
      expect(error).toBe(`38/18 Failed to create file '${path}': File exists`);
      expect(readFileSync(path, "utf8")).toBe("somebody else's");
      expect(readdirSync(place().path).sort()).toEqual([...before, "a"].sort());
      expect(laboratory.traces.size).toBe(0);
      expect(laboratory.expectedSpace.of(await place().directory.fileSystem())).toBe(0n);
    },
  );

  it.each<[string, Wanted]>([
    ["an empty raw file", { allocationBytes: 0n }],
    ["an empty qcow2", { format: "qcow2" }],
  ])("%s is made in one step, and replaces nothing that came before", async (_, wanted) => {
    const path = join(place().path, "a");
    let steps = 0;
    const host = hostWith(place().directory.host, (directory) => ({
      createWhole: (...all) => {
        steps++;
        writeFileSync(path, "somebody else's");
        return directory.createWhole(...all);
      },
    }));
    const error = await errorOf(make(place(), "a", wanted, await contextOn(place(), { host })));
    expect(error).toBe(`55/18 Requested operation is not valid: volume target path '${path}' already exists`);
    expect(steps).toBe(1);
    expect(readFileSync(path, "utf8")).toBe("somebody else's");
    expect(readdirSync(place().path)).toEqual(["a"]);
    expect(laboratory.traces.size).toBe(0);
  });

  it.each([0o000, 0o400, 0o644, 0o1770])(
    "has its owner and label while it has no name, and never more mode than %o",
    async (mode) => {
      const names = ["raw", "qcow2"];
      for (const format of names) {
        const grown: unknown[] = [];
        const umask = process.umask(0o077);
        try {
          const context = await contextOn(place(), {
            growing: (file) => void grown.push(file.facts()),
          });
          const wanted = volume(format, { format, mode, owner: 1_234, group: 4_321 });
          const { target } = wanted;
          const labelled = { ...wanted, target: { ...target, permissions: { ...target.permissions, label: LABEL } } };
          await create(directoryDriver, definition(place()), labelled, context);
        } finally {
          process.umask(umask);
        }
        const expected = { owner: 1_234, group: 4_321, label: LABEL };
        // A small image is made in one step, in which nobody can look at it.
        expect(await Promise.all(grown)).toMatchObject(format === "raw" ? [expected] : []);
        expect(await place().directory.lookup(format)).toMatchObject({ ...expected, mode });
      }
    },
  );

  it("a directory has its owner, mode and label when it gets its name", async () => {
    const wanted = volume("d", { format: "dir", mode: 0o750, owner: 1_234, group: 4_321 });
    const { target } = wanted;
    const labelled = { ...wanted, target: { ...target, permissions: { ...target.permissions, label: LABEL } } };
    await create(directoryDriver, definition(place()), labelled, await contextOn(place()));
    const facts = await place().directory.lookup("d");
    expect(facts).toMatchObject({ kind: "directory", mode: 0o750, owner: 1_234, group: 4_321, label: LABEL });
    expect(laboratory.traces.size).toBe(0);
  });
});

onFileSystems(["ext4", "xfs", "btrfs"], (place, type) => {
  /** 64 MiB with 2 MiB of data, at its beginning and in its middle. */
  async function source(at: Place = place()): Promise<VolumeDocument> {
    const made = await make(
      at,
      "source",
      { capacityBytes: BigInt(64 * MIB), allocationBytes: 0n },
      await contextOn(at),
    );
    put(join(at.path, "source"), 0, Buffer.alloc(MIB, 1));
    put(join(at.path, "source"), 32 * MIB + 4_096, Buffer.alloc(MIB, 2));
    execFileSync("sync", [join(at.path, "source")]);
    return made;
  }
  const sparse: Wanted = { capacityBytes: BigInt(64 * MIB), allocationBytes: 0n };
  const content = (name: string): Buffer => readFileSync(join(place().path, name));

  it("a clone takes the cheapest way that there is, and says which", async () => {
    const context = await contextOn(place(), { sharesBlocks: true });
    const original = await source();
    const free = freeBytes(place().path);
    await make(place(), "copy", sparse, context, { source: original });
    const taken = free - freeBytes(place().path);
    expect(laboratory.ways).toEqual(SHARING.has(type) ? ["reflink"] : ["copy in the kernel, only where there is data"]);
    expect(taken).toBeLessThan(SHARING.has(type) ? MIB : 3 * MIB);
    expect(allocated(join(place().path, "copy"))).toBeLessThan(3 * MIB);
    expect(content("copy").equals(content("source"))).toBe(true);
    // Writing to the one does not change the other.
    put(join(place().path, "copy"), 0, Buffer.from("changed"));
    expect(content("source")[0]).toBe(1);
  });

  it("a clone that is not to share blocks shares none, and copies where there is data", async () => {
    const original = await source();
    const free = freeBytes(place().path);
    await make(place(), "copy", sparse, await contextOn(place(), { sharesBlocks: false }), { source: original });
    expect(free - freeBytes(place().path)).toBeGreaterThan(1.9 * MIB);
    // What the kernel copies there, it shares.
    const how = SHARING.has(type) ? "copy by read and write" : "copy in the kernel";
    expect(laboratory.ways).toEqual([`${how}, only where there is data`]);
    await using copy = await place().directory.open("copy", { access: "read" });
    expect((await copy.storageTraits()).sharesBlocks).toBe(false);
    expect(allocated(join(place().path, "copy"))).toBeLessThan(3 * MIB);
    expect(content("copy").equals(content("source"))).toBe(true);
    expect(laboratory.progress.at(-1)?.[0]).toBe(laboratory.progress.at(-1)?.[1]);
  });

  it("a clone that is to be allocated has all of its space, or a word that it shares it", async () => {
    const context = await contextOn(place(), { sharesBlocks: true });
    const wanted = { capacityBytes: BigInt(64 * MIB) };
    await make(place(), "copy", wanted, context, { source: await source() });
    if (SHARING.has(type))
      expect(laboratory.remarks).toEqual([expect.stringContaining("Blocks are shared with the source")]);
    else expect(allocated(join(place().path, "copy"))).toBeGreaterThanOrEqual(64 * MIB);
    expect(content("copy").equals(content("source"))).toBe(true);
  });

  it("a clone may be longer than its source, by any way", async () => {
    for (const sharesBlocks of [true, false]) {
      const name = `copy-${sharesBlocks}`;
      const original = sharesBlocks ? await source() : { ...(await make(place(), "s2", {}, await contextOn(place()))) };
      const longer = { capacityBytes: BigInt(100 * MIB) + 512n, allocationBytes: 0n };
      await make(place(), name, longer, await contextOn(place(), { sharesBlocks }), { source: original });
      expect(statSync(join(place().path, name)).size).toBe(100 * MIB + 512);
    }
  });

  it("a demanded reflink is one, or libvirt's error", async () => {
    const context = await contextOn(place(), { sharesBlocks: false });
    const cloning = errorOf(make(place(), "copy", sparse, context, { source: await source(), flags: REFLINK }));
    if (SHARING.has(type)) {
      expect(await cloning).toBe("no error");
      expect(laboratory.ways).toEqual(["reflink"]);
      return;
    }
    expect(await cloning).toBe(
      `38/18 failed to clone files from '${join(place().path, "source")}': Operation not supported`,
    );
    expect(readdirSync(place().path)).toEqual(["source"]);
  });

  it("a clone from another file system is read and written, only where there is data", async () => {
    mkdirSync(laboratory.path("images"));
    const elsewhere = laboratory.path("images");
    const other: Place = { ...place(), path: elsewhere, directory: await laboratory.host.openDirectory(elsewhere) };
    const original = await source(other);
    await other.directory.close();
    const context = await contextOn(place(), { sharesBlocks: true });
    await make(place(), "copy", sparse, context, { source: original });
    expect(laboratory.ways).toEqual(["copy by read and write, only where there is data"]);
    expect(allocated(join(place().path, "copy"))).toBeLessThan(3 * MIB);
    expect(content("copy").equals(readFileSync(join(elsewhere, "source")))).toBe(true);
  });
});

onFileSystems(["ext4", "xfs", "btrfs"], (place, type) => {
  /** Of the one file system on which the storage does what is to be seen. */
  const on = (wanted: string, title: string, body: (context: TestContext) => Promise<void>): void => {
    if (type === wanted) it(title, body);
  };

  let secrets = 0;
  /** Something that is nowhere else on this disk. */
  const secretText = (): string => `CISTERN-${type}-${place().home}-${process.pid}-${secrets++}-`;
  /** What lies under the file system, when it has written everything. */
  function isOnDisk(text: string): boolean {
    execFileSync("sync", ["--file-system", place().path]);
    const image = join(place().path, "../../image");
    return spawnSync("grep", ["--text", "--quiet", "--fixed-strings", text, image]).status === 0;
  }
  const filled = (text: string, bytes: number): Buffer => Buffer.alloc(bytes, text);

  async function written(name: string, text: string, wanted: Wanted): Promise<VolumeDocument> {
    const made = await make(place(), name, wanted, await contextOn(place()));
    put(join(place().path, name), 0, filled(text, MIB));
    put(join(place().path, name), 3 * MIB + 512, filled(text, MIB));
    expect(isOnDisk(text)).toBe(true);
    return made;
  }
  const wipe = async (document: VolumeDocument, algorithm: number): Promise<void> =>
    directoryDriver.volumes?.wipe?.(definition(place()), document, algorithm, await contextOn(place()));
  const full: Wanted = { capacityBytes: BigInt(8 * MIB) };
  const sparse: Wanted = { capacityBytes: BigInt(8 * MIB), allocationBytes: 0n };

  const rows: [string, Wanted, number][] = [
    ["zeros over a full volume", full, ZERO],
    ["zeros over a volume with holes, before its blocks are given back", sparse, ZERO],
    ["random bytes over a full volume", full, RANDOM],
    ["random bytes over a volume with holes", sparse, RANDOM],
  ];
  it.each(rows)("a wipe leaves nothing on the disk: %s", async (_, wanted, algorithm) => {
    const text = secretText();
    const document = await written("a", text, wanted);
    await wipe(document, algorithm);
    const bytes = readFileSync(join(place().path, "a"));
    expect(bytes.includes(text)).toBe(false);
    if (algorithm === ZERO) expect(bytes.equals(Buffer.alloc(8 * MIB))).toBe(true);
    else expect(new Set(bytes.subarray(0, MIB)).size).toBe(256);
    if (algorithm === ZERO && wanted === sparse) expect(allocated(join(place().path, "a"))).toBe(0);
    if (algorithm === RANDOM && wanted === sparse) {
      expect(allocated(join(place().path, "a"))).toBeLessThan(4 * MIB);
      expect(bytes.subarray(2 * MIB, 3 * MIB).every((byte) => byte === 0)).toBe(true);
    }
    if (type === "btrfs") {
      expect(laboratory.remarks).toEqual([
        "The file system writes to new blocks instead of the old ones: old blocks may survive.",
      ]);
      return;
    }
    expect(laboratory.remarks).toEqual([]);
    expect(isOnDisk(text)).toBe(false);
    expect(laboratory.traces.size).toBe(0);
  });

  on(
    "ext4",
    "a wipe reaches blocks that read as zeros but have not been overwritten (a guest's zeroing)",
    async (context) => {
      const reason = missing({ programs: ["fallocate"] });
      context.skip(reason !== null, reason ?? "");
      const text = secretText();
      const document = await written("a", text, sparse);
      const path = join(place().path, "a");
      execFileSync("fallocate", ["--zero-range", "--offset", "0", "--length", `${4 * MIB}`, path]);
      put(path, 3 * MIB + 512, Buffer.alloc(MIB));
      expect(isOnDisk(text)).toBe(true);
      await wipe(document, ZERO);
      expect(isOnDisk(text)).toBe(false);
      expect(allocated(path)).toBe(0);
      expect(statSync(path).size).toBe(8 * MIB);
    },
  );

  on("xfs", "a wipe of what shares blocks with another says that they survive, as they do", async () => {
    const text = secretText();
    const original = await written("a", text, sparse);
    const sharing = await contextOn(place(), { sharesBlocks: true });
    const copy = await make(place(), "copy", sparse, sharing, { source: original });
    await wipe(copy, ZERO);
    expect(laboratory.remarks).toEqual([
      "Blocks were shared with another file or a snapshot, which keeps them: old blocks may survive.",
    ]);
    expect(readFileSync(join(place().path, "a")).includes(text)).toBe(true);
    expect(isOnDisk(text)).toBe(true);
  });

  it.for([ZERO, RANDOM])(
    "a wipe gives back blocks behind the end, and the file keeps its size: algorithm %i",
    async (algorithm, context) => {
      const reason = missing({ programs: ["fallocate"] });
      context.skip(reason !== null, reason ?? "");
      const text = secretText();
      const document = await written("a", text, full);
      const path = join(place().path, "a");
      // In the middle of what is secret, and of a block.
      const bytes = 4 * MIB + 100;
      truncateSync(path, bytes);
      execFileSync("fallocate", ["--keep-size", "--length", `${12 * MIB}`, path]);
      expect(allocated(path)).toBeGreaterThanOrEqual(12 * MIB);
      await wipe(document, algorithm);
      expect(statSync(path).size).toBe(bytes);
      expect(allocated(path)).toBeLessThan(5 * MIB);
      expect(readFileSync(path).includes(text)).toBe(false);
      expect(laboratory.remarks.at(-1)).toBe(
        "Blocks that were reserved behind the end of the file were given back, and not overwritten.",
      );
      if (type !== "btrfs") expect(isOnDisk(text)).toBe(false);
    },
  );

  it("trim gives the blocks back, and says that it has overwritten nothing", async () => {
    const document = await written("a", secretText(), full);
    await wipe(document, TRIM);
    expect(allocated(join(place().path, "a"))).toBe(0);
    expect(statSync(join(place().path, "a")).size).toBe(8 * MIB);
    expect(laboratory.ways).toEqual(["blocks given back (trim)"]);
    expect(laboratory.remarks).toEqual([
      "Trimmed blocks are not overwritten: until the storage uses them anew, their old content may survive.",
    ]);
  });
});

onFileSystems(["ext4", "xfs", "btrfs"], (place, type) => {
  const gap = type === "btrfs" ? 32 * MIB : 2 * MIB;
  const told = (needed: string): RegExp =>
    new RegExp(`^38/18 .* \\(${needed} bytes needed, \\d+ bytes free\\): No space left on device$`);

  it.each<[string, Wanted, number]>([
    ["raw files", {}, 0],
    ["qcow2 images that are preallocated in full", { format: "qcow2" }, PREALLOCATE_METADATA],
  ])("of two creations that together want more than there is exactly one succeeds: %s", async (_, wanted, flags) => {
    const free = freeBytes(place().path);
    const capacityBytes = (BigInt(Math.floor(free * 0.6)) / 4_096n) * 4_096n;
    const context = await contextOn(place());
    const outcomes = await Promise.all(
      ["a", "b"].map((name) => errorOf(make(place(), name, { ...wanted, capacityBytes }, context, { flags }))),
    );
    const refused = outcomes.filter((outcome) => outcome !== "no error");
    expect(refused).toHaveLength(1);
    const needed = Number(told("(\\d+)").exec(refused[0] ?? "")?.[1]);
    // An image has its tables as well.
    expect(needed).toBeGreaterThanOrEqual(Number(capacityBytes));
    expect(needed).toBeLessThanOrEqual(Number(capacityBytes) + (flags === 0 ? 0 : MIB));
    const [made, ...others] = readdirSync(place().path);
    expect(others).toEqual([]);
    expect(allocated(join(place().path, made ?? ""))).toBeGreaterThanOrEqual(Number(capacityBytes));
    expect(laboratory.expectedSpace.of(await place().directory.fileSystem())).toBe(0n);
  });

  it("there is room for as much as root may fill, and no more", async () => {
    const context = await contextOn(place());
    // What the tests before have removed is free by then.
    freeBytes(place().path);
    const { bfree, bavail, bsize } = statfsSync(place().path);
    const usable = (type === "btrfs" ? bavail : bfree) * bsize;
    // Trees of its own: otherwise there is nothing to tell apart.
    if (type === "btrfs") expect(bavail).toBeLessThan(bfree);
    const kept = Number(await place().directory.keptBytes());
    expect(kept > 0).toBe(type === "ext4");
    const tooMuch = usable - kept + (type === "ext4" ? MIB : gap);
    const over = make(place(), "over", { capacityBytes: BigInt(tooMuch) }, context);
    expect(await errorOf(over)).toMatch(told(`${tooMuch}`));
    expect(laboratory.progress).toEqual([]);
    // A file of this size has tables as well.
    await make(place(), "all", { capacityBytes: BigInt(usable - kept - MIB) }, context);
  });

  it("what one operation expects is not held against others once it has ended", async () => {
    const capacityBytes = (BigInt(Math.floor(freeBytes(place().path) * 0.6)) / 4_096n) * 4_096n;
    const context = await contextOn(place());
    for (const name of ["a", "b", "c"]) {
      const document = await make(place(), name, { capacityBytes }, context);
      await directoryDriver.volumes?.remove?.(definition(place()), document, 0, context);
      freeBytes(place().path);
    }
    expect(laboratory.expectedSpace.of(await place().directory.fileSystem())).toBe(0n);
  });

  const when: [string, boolean][] = [
    ["seen before it begins", false],
    ["only found out while it allocates", true],
  ];
  it.each(when)(
    "a lack of space for a longer volume, %s, leaves its size and its space as they were",
    async (_, isLate) => {
      const document = await make(
        place(),
        "a",
        { capacityBytes: BigInt(8 * MIB), allocationBytes: 0n },
        await contextOn(place()),
      );
      const path = join(place().path, "a");
      put(path, 4 * MIB, Buffer.alloc(MIB, 7));
      const before = { size: statSync(path).size, allocated: allocated(path), free: freeBytes(place().path) };
      const space = { capacityBytes: 2n ** 50n, freeBytes: 2n ** 49n, usableBytes: 2n ** 49n };
      const lying = (host: Host): Host => hostWith(host, () => ({ space: async () => space }));
      const context = await contextOn(place());
      const capacityBytes = BigInt(before.free + gap + 8 * MIB);
      const resizing = directoryDriver.volumes?.resize?.(
        definition(place()),
        document,
        capacityBytes,
        RESIZE_ALLOCATE,
        {
          ...context,
          host: isLate ? lying(context.host) : context.host,
        },
      );
      expect(await errorOf(resizing ?? Promise.resolve())).toMatch(told("\\d+"));
      expect(statSync(path).size).toBe(before.size);
      // The list of its extents may have got a block of its own.
      expect(allocated(path) - before.allocated).toBeLessThanOrEqual(4_096);
      expect(Math.abs(freeBytes(place().path) - before.free)).toBeLessThan(gap);
      expect(
        readFileSync(path)
          .subarray(4 * MIB, 5 * MIB)
          .every((byte) => byte === 7),
      ).toBe(true);
      expect(laboratory.traces.size).toBe(0);
    },
  );
});

onFileSystems(["ext4", "xfs", "btrfs"], (place) => {
  const DATA = Buffer.alloc(MIB, "data");

  /** A disk of which nearly all is a hole, and which is longer than its file system; as it is by now. */
  async function sparseDisk(): Promise<{
    path: string;
    document: VolumeDocument;
    before: { size: number; free: number };
  }> {
    const { blocks, bsize } = statfsSync(place().path);
    const sizeBytes = blocks * bsize + 512;
    const wanted = { capacityBytes: BigInt(sizeBytes), allocationBytes: 0n };
    const document = await make(place(), "disk", wanted, await contextOn(place()));
    const path = join(place().path, "disk");
    put(path, 8 * MIB, DATA);
    return { path, document, before: { size: sizeBytes, free: freeBytes(place().path) } };
  }
  /** What is before the disk's data, and that. */
  function begin(path: string): Buffer {
    const bytes = Buffer.alloc(9 * MIB);
    const fd = openSync(path, "r");
    readSync(fd, bytes, 0, bytes.length, 0);
    closeSync(fd);
    return bytes;
  }
  /** There is not the room that it is told; `allocated` hears of each step. */
  async function failToAllocate(document: VolumeDocument, allocated: () => void = () => {}): Promise<string> {
    const space = { capacityBytes: 2n ** 50n, freeBytes: 2n ** 49n, usableBytes: 2n ** 49n };
    const context = await contextOn(place());
    const host = hostWith(context.host, (directory) => ({
      space: async () => space,
      open: async (name, request, options) => {
        const file = await directory.open(name, request, options);
        const allocate: typeof file.allocate = async (...all) => {
          await file.allocate(...all);
          allocated();
        };
        return standIn(file, { allocate });
      },
    }));
    const { capacityBytes } = document;
    const resized = directoryDriver.volumes?.resize?.(
      definition(place()),
      document,
      capacityBytes + BigInt(4 * MIB),
      RESIZE_ALLOCATE,
      { ...context, host },
    );
    return errorOf(resized ?? Promise.resolve());
  }
  const FULL = /^38\/18 .* bytes needed, .*No space left on device$/;
  const STAY = expect.stringContaining("Holes of the volume that were filled stay so");

  it("a lack of space in the holes of a volume that is to be allocated leaves them holes", async () => {
    const { path, document, before } = await sparseDisk();
    expect(await failToAllocate(document)).toMatch(FULL);
    expect(statSync(path).size).toBe(before.size);
    expect(
      begin(path)
        .subarray(8 * MIB)
        .equals(DATA),
    ).toBe(true);
    if (place().home === "remote") {
      // There, others may have it open of whom this machine knows nothing.
      expect(laboratory.remarks).toEqual([STAY]);
      return;
    }
    expect(laboratory.remarks).toEqual([]);
    expect(allocated(path)).toBeLessThan(2 * MIB);
    expect(before.free - freeBytes(place().path)).toBeLessThan(2 * MIB);
  });

  it("what a guest has written into such a hole since it was filled stays", async () => {
    const { path, document } = await sparseDisk();
    let steps = 0;
    const guest = Buffer.alloc(MIB + 512, "guest");
    // The first steps are what lies behind the end.
    const writes = (): void => {
      if (++steps === 3) put(path, 1_000, guest);
    };
    expect(await failToAllocate(document, writes)).toMatch(FULL);
    const content = begin(path);
    expect(content.subarray(1_000, 1_000 + guest.length).equals(guest)).toBe(true);
    expect(content.subarray(8 * MIB).equals(DATA)).toBe(true);
    if (place().home === "local") expect(allocated(path)).toBeLessThan(4 * MIB);
  });

  it("while somebody has the volume open, holes that were filled stay so, and it is said", async () => {
    const { path, document, before } = await sparseDisk();
    const guest = openSync(path, "r+");
    try {
      expect(await failToAllocate(document)).toMatch(FULL);
    } finally {
      closeSync(guest);
    }
    expect(laboratory.remarks).toEqual([STAY]);
    expect(statSync(path).size).toBe(before.size);
    expect(allocated(path)).toBeGreaterThan(64 * MIB);
  });

  it("blocks behind a smaller end are no room for what lies before it", async () => {
    const wanted = { capacityBytes: BigInt(192 * MIB), allocationBytes: 0n };
    const document = await make(place(), "disk", wanted, await contextOn(place()));
    const path = join(place().path, "disk");
    execFileSync("fallocate", ["--offset", `${32 * MIB}`, "--length", `${32 * MIB}`, path]);
    execFileSync("fallocate", ["--offset", `${128 * MIB}`, "--length", `${64 * MIB}`, path]);
    const space = { capacityBytes: 2n ** 50n, freeBytes: 2n ** 49n, usableBytes: BigInt(64 * MIB) };
    const context = await contextOn(place());
    const host = hostWith(context.host, () => ({ space: async () => space, keptBytes: async () => 0n }));
    const resizing = directoryDriver.volumes?.resize?.(
      definition(place()),
      document,
      BigInt(128 * MIB),
      RESIZE_ALLOCATE | RESIZE_SHRINK,
      { ...context, host },
    );
    // And what lies before it is.
    const needed = new RegExp(`\\(${96 * MIB} bytes needed, ${64 * MIB} bytes free`);
    expect(await errorOf(resizing ?? Promise.resolve())).toMatch(needed);
    expect(statSync(path).size).toBe(192 * MIB);
  });
});

describe("on a file system that knows no files without a name", () => {
  /** As the host says it of such file systems. */
  const nameless = async (): Promise<never> => {
    throw new HostError("EOPNOTSUPP", 95, "no files without a name", { step: "create" });
  };

  it("a volume grows under a temporary name that the journal knows, and nothing is left", async (context) => {
    const reason = missing(fuseRequirements);
    context.skip(reason !== null, reason ?? "");
    const [behind, path] = [laboratory.path("behind"), laboratory.path("mounted")];
    for (const each of [behind, path]) mkdirSync(each);
    await using mount = await mountFuse(behind, path);
    const host = await laboratory.hosts.forPath(mount.mountPoint);
    const seen: [string[], number][] = [];
    const operation = {
      ...(await laboratory.context()),
      host,
      growing: () => void seen.push([readdirSync(behind), laboratory.traces.size]),
    };
    for (const format of ["raw", "qcow2"]) {
      await create(directoryDriver, pool("dir", path), volume(format, { format, mode: 0o640 }), operation);
      const [names, traces] = seen.at(-1) ?? [[], 0];
      expect(names.filter((name) => /^\.cistern-[0-9a-f]{16}\.part$/.test(name))).toHaveLength(1);
      expect(names).not.toContain(format);
      expect(traces).toBe(1);
      expect(statSync(join(behind, format)).mode & 0o7777).toBe(0o640);
    }
    expect(readdirSync(behind).sort()).toEqual(["qcow2", "raw"]);
    expect(laboratory.traces.size).toBe(0);
    const foreign = { ...operation, growing: () => writeFileSync(join(behind, "c"), "somebody else's") };
    expect(await errorOf(create(directoryDriver, pool("dir", path), volume("c"), foreign))).toBe(
      `38/18 Failed to create file '${path}/c': File exists`,
    );
    expect(readFileSync(join(behind, "c"), "utf8")).toBe("somebody else's");
    expect(readdirSync(behind).sort()).toEqual(["c", "qcow2", "raw"]);
    await host.letGo?.(path);
  });

  it("a volume that is made longer has its old or its new size at any moment, and keeps its content", async () => {
    const images = laboratory.path("images");
    mkdirSync(images);
    const context = await laboratory.context();
    const document = await create(directoryDriver, pool("dir", images), volume("a", { allocationBytes: 0n }), context);
    const path = join(images, "a");
    put(path, 0, Buffer.from("content"));
    const steps: [boolean, number][] = [];
    const host = hostWith(laboratory.host, (directory) => ({
      open: async (name, request, options) => {
        const file = await directory.open(name, request, options);
        return standIn(file, {
          allocate: async (offset, length, how) => {
            steps.push([how?.keepSize ?? false, statSync(path).size]);
            if (how?.keepSize === true) throw new HostError("EOPNOTSUPP", 95, "nothing can be reserved");
            await file.allocate(offset, length, how);
          },
        });
      },
    }));
    const resizing = directoryDriver.volumes?.resize?.(
      pool("dir", images),
      document,
      BigInt(4 * MIB),
      RESIZE_ALLOCATE,
      { ...context, host },
    );
    expect(await errorOf(resizing ?? Promise.resolve())).toBe("no error");
    expect(steps).toEqual([
      [true, MIB],
      [false, 4 * MIB],
    ]);
    expect(statSync(path).size).toBe(4 * MIB);
    expect(allocated(path)).toBeGreaterThanOrEqual(4 * MIB);
    expect(readFileSync(path).subarray(0, 8).toString()).toBe("content\0");
  });

  it("the record of a temporary file that cannot be removed is kept: recovery removes it", async () => {
    const images = laboratory.path("images");
    mkdirSync(images);
    const broken = async (): Promise<never> => {
      throw new HostError("EROFS", 30, "the file system became read-only");
    };
    const host = hostWith(laboratory.host, () => ({
      createUnnamed: nameless,
      publishEntry: broken,
      removeFile: broken,
      removeDirectory: broken,
    }));
    const context = { ...(await laboratory.context()), host };
    for (const format of ["raw", "dir"]) {
      expect(await errorOf(create(directoryDriver, pool("dir", images), volume(format, { format }), context))).toMatch(
        /Read-only file system$/,
      );
    }
    expect([...laboratory.traces].map((trace) => `${trace.kind} ${"name" in trace ? trace.name : ""}`).sort()).toEqual(
      readdirSync(images)
        .map((name) => `temporary ${name}`)
        .sort(),
    );
    expect(laboratory.traces.size).toBe(2);
  });
});

it.each([
  ["says nothing of itself", { copyOnWrite: false, sharesBlocks: null }],
  ["cannot be asked", null],
])("a wipe on storage that %s says that old blocks may survive", async (_, traits) => {
  const images = laboratory.path("images");
  mkdirSync(images);
  const context = await laboratory.context();
  const document = await create(directoryDriver, pool("dir", images), volume("a"), context);
  const host = hostWith(laboratory.host, (directory) => ({
    open: async (name, request, options) => {
      const storageTraits = async () => {
        if (traits === null) throw new HostError("EIO", 5, "no answer");
        return traits;
      };
      return standIn(await directory.open(name, request, options), { storageTraits });
    },
  }));
  await directoryDriver.volumes?.wipe?.(pool("dir", images), document, ZERO, { ...context, host });
  expect(laboratory.remarks).toEqual([
    "Of this storage it cannot be told whether old blocks are overwritten or kept: they may survive.",
  ]);
});

it("a clone and a wipe of limited bandwidth move little at once, and nothing before it may be moved", async () => {
  const images = laboratory.path("images");
  mkdirSync(images);
  const context = await laboratory.context();
  const capacityBytes = BigInt(16 * MIB);
  const source = await create(directoryDriver, pool("dir", images), volume("source", { capacityBytes }), context);
  put(join(images, "source"), 0, Buffer.alloc(16 * MIB, 1));
  const steps: number[] = [];
  const job = standIn(context.job, {
    bandwidthBytesPerSecond: BigInt(8 * MIB),
    pace: async (bytes) => void steps.push(Number(bytes)),
  });
  const limited = { ...context, job };
  await create(directoryDriver, pool("dir", images), volume("copy", { capacityBytes }), limited, { source });
  expect(steps).toEqual(Array.from({ length: 8 }, () => 2 * MIB));
  steps.length = 0;
  await directoryDriver.volumes?.wipe?.(pool("dir", images), source, ZERO, limited);
  expect(steps).toEqual(Array.from({ length: 8 }, () => 2 * MIB));
});

it("an upload gives a volume its label back where it has none, and takes no other label away", async () => {
  const images = laboratory.path("images");
  mkdirSync(images);
  for (const name of ["bare", "running"]) writeFileSync(join(images, name), "x");
  const context = await laboratory.context();
  await using directory = await laboratory.host.openDirectory(images);
  const other = "system_u:object_r:other_t:s0";
  {
    await using file = await directory.open("running", { access: "write" });
    await file.setLabel(other);
  }
  for (const [name, label] of [
    ["bare", LABEL],
    ["running", other],
  ] as const) {
    const { target, ...rest } = volume(name);
    const permissions = { ...target.permissions, label: LABEL };
    const document = { ...rest, target: { ...target, path: join(images, name), permissions } };
    const opened = await directoryDriver.volumes?.openForUpload?.(pool("dir", images), document, context);
    await opened?.file.close();
    expect(laboratory.traces.size).toBe(1);
    await opened?.recorded.release();
    expect((await directory.lookup(name)).label).toBe(label);
  }
});

it("where the file system takes no label, asking for one is an error, and nothing is left", async () => {
  const images = laboratory.path("images");
  mkdirSync(images);
  const unlabelled = async (): Promise<never> => {
    throw new HostError("EOPNOTSUPP", 95, "no labels", { step: "label" });
  };
  const host = hostWith(laboratory.host, () => ({ createUnnamed: unlabelled, createNamed: unlabelled }));
  const wanted = volume("a");
  const { target } = wanted;
  const labelled = { ...wanted, target: { ...target, permissions: { ...target.permissions, label: LABEL } } };
  const context = { ...(await laboratory.context()), host };
  expect(await errorOf(create(directoryDriver, pool("dir", images), labelled, context))).toBe(
    `38/18 unable to set security context '${LABEL}' on '${join(images, "a")}': Operation not supported`,
  );
  expect(readdirSync(images)).toEqual([]);
});
