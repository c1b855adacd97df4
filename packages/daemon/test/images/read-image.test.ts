import { closeSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { ImageDetails, Qcow2Facts } from "../../dist/images/image-details.js";
import { readImage, recognise } from "../../dist/images/read-image.js";
import { imageLimits } from "../../dist/limits.js";
import { withFileSource } from "./image-source.js";
import { qemuImg, workDirectory } from "./shared.js";

const work = workDirectory();
const LUKS = ["--object", "secret,id=k,data=x", "-o", "encrypt.format=luks,encrypt.key-secret=k,encrypt.iter-time=10"];

/** Of `qemu-img info --output=json`, what is compared. */
interface QemuInfo {
  readonly "virtual-size": number;
  readonly "cluster-size"?: number;
  readonly "dirty-flag": boolean;
  readonly encrypted?: boolean;
  readonly "backing-filename"?: string;
  readonly "backing-filename-format"?: string;
  readonly snapshots?: readonly QemuSnapshot[];
  readonly "format-specific"?: { readonly data: Readonly<Record<string, unknown>> };
}
interface QemuSnapshot {
  readonly id: string;
  readonly name: string;
  readonly "date-sec": number;
  readonly "date-nsec": number;
  readonly "vm-state-size": number;
}

function qemuInfo(path: string): QemuInfo {
  return JSON.parse(qemuImg("info", "--output=json", path));
}

async function detailsOf(path: string, format: string): Promise<ImageDetails> {
  const details = await withFileSource(path, (source) => readImage(source, format, { lists: true }));
  if (details === null) throw new Error(`${path} was not taken for ${format}`);
  return details;
}

async function qcow2Of(path: string): Promise<Qcow2Facts> {
  const { qcow2 } = await detailsOf(path, "qcow2");
  if (qcow2 === null) throw new Error("there are no facts of qcow2");
  return qcow2;
}

describe("what is read of a qcow2 image is what qemu-img says", () => {
  const rows: { name: string; create: string[]; after?: (path: string) => void }[] = [
    { name: "version 2", create: ["-o", "compat=0.10"] },
    { name: "version 3", create: ["-o", "compat=1.1"] },
    ...[512, 4_096, 131_072, 2_097_152].map((bytes) => ({
      name: `clusters of ${bytes} bytes`,
      create: ["-o", `cluster_size=${bytes}`],
    })),
    ...[1, 2, 4, 8, 32, 64].map((bits) => ({
      name: `refcounts of ${bits} bits`,
      create: ["-o", `refcount_bits=${bits}`],
    })),
    { name: "lazy refcounts", create: ["-o", "lazy_refcounts=on"] },
    { name: "extended L2 entries", create: ["-o", "extended_l2=on,cluster_size=131072"] },
    { name: "compression by zstd", create: ["-o", "compression_type=zstd"] },
    { name: "preallocated metadata", create: ["-o", "preallocation=metadata"] },
    { name: "a data file", create: ["-o", `data_file=DATA`] },
    { name: "a raw data file", create: ["-o", `data_file=DATA,data_file_raw=on`] },
    { name: "LUKS", create: LUKS },
    { name: "a backing file", create: ["-u", "-b", "/images/base.raw", "-F", "raw"] },
    { name: "a relative backing file", create: ["-u", "-b", "../base", "-F", "qcow2"] },
    { name: "a backing file of version 2", create: ["-o", "compat=0.10", "-u", "-b", "/base", "-F", "vmdk"] },
    {
      name: "a described backing file",
      create: ["-u", "-b", 'json:{"driver":"qcow2","file":{"driver":"file","filename":"/x"}}', "-F", "qcow2"],
    },
    { name: "a backing file elsewhere", create: ["-u", "-b", "nbd://127.0.0.1:1/x", "-F", "raw"] },
    { name: "a long backing file name", create: ["-u", "-b", `/${"long/".repeat(190)}`, "-F", "raw"] },
    { name: "snapshots", create: [], after: (path) => snapshots(path, ["one", "two words", "dr\u00e4i"]) },
    {
      name: "snapshots of version 2",
      create: ["-o", "compat=0.10"],
      after: (path) => snapshots(path, ["one"]),
    },
    {
      name: "bitmaps",
      create: [],
      after: (path) => {
        qemuImg("bitmap", "--add", path, "first");
        qemuImg("bitmap", "--add", "--disable", "-g", "32768", path, "second one");
      },
    },
    {
      name: "everything at once",
      create: ["-o", "lazy_refcounts=on,refcount_bits=64,cluster_size=16384", "-u", "-b", "base", "-F", "raw"],
      after: (path) => {
        qemuImg("create", "-q", "-f", "raw", work.file("base"), "8M");
        snapshots(path, ["s"]);
        qemuImg("bitmap", "--add", path, "b");
      },
    },
  ];

  test.each(rows)("$name", async ({ name, create, after }) => {
    const path = work.file(`${name.replaceAll(" ", "-")}.qcow2`);
    const options = create.map((option) => option.replace("DATA", `${path}.data`));
    qemuImg("create", "-q", "-f", "qcow2", ...options, path, "8M");
    after?.(path);
    const ours = await qcow2Of(path);
    expect(ours.problems).toEqual([]);
    expect(asQemuSays(ours)).toEqual(comparable(qemuInfo(path)));
  });

  test("an image that was not closed is dirty, one that qemu found damaged is corrupt", async () => {
    const path = work.file("marked");
    qemuImg("create", "-q", "-f", "qcow2", "-o", "lazy_refcounts=on", path, "1M");
    expect(await qcow2Of(path)).toMatchObject({ isDirty: false, isCorrupt: false });
    for (const [bits, expected] of [
      [1, { isDirty: true, isCorrupt: false }],
      [2, { isDirty: false, isCorrupt: true }],
    ] as const) {
      patch(path, 72 + 7, Uint8Array.of(bits));
      expect(await qcow2Of(path)).toMatchObject(expected);
      expect(qemuInfo(path)["format-specific"]?.data["corrupt"]).toBe(expected.isCorrupt);
    }
  });

  test.each([
    ["base", [], "1G", 196_608],
    ["old", ["-o", "compat=0.10"], "1G", 196_608],
    ["small-clusters", ["-o", "cluster_size=512"], "8M", 1_536],
  ])("tables beyond the end of the file are missed: %s", async (name, options, capacity, l1Offset) => {
    const path = work.file(`cut-${name}`);
    qemuImg("create", "-q", "-f", "qcow2", ...options, path, capacity);
    const whole = readFileSync(path);
    const [l1Bytes, refcountOffset] = [whole.readUInt32BE(36) * 8, Number(whole.readBigUInt64BE(48))];
    const [l1, refcounts] = [`The L1 table at ${l1Offset}`, `The refcount table at ${refcountOffset}`];
    for (const [bytes, missing] of [
      [l1Offset + l1Bytes, []],
      [l1Offset + l1Bytes - 1, [l1]],
      [l1Offset, [l1]],
      // Of the last cluster the beginning is enough.
      [refcountOffset + 1, [l1]],
      [refcountOffset, [l1, refcounts]],
      [512, [l1, refcounts]],
    ] as const) {
      writeFileSync(path, whole.subarray(0, bytes));
      const expected = missing.map((table) => `${table} lies beyond the end of the file.`);
      expect([bytes, (await qcow2Of(path)).problems]).toEqual([bytes, expected]);
    }
  });

  test("a disk of no bytes has no L1 table to miss", async () => {
    const path = work.file("nothing");
    qemuImg("create", "-q", "-f", "qcow2", path, "0");
    expect((await qcow2Of(path)).problems).toEqual([]);
  });

  test("unknown features are told by number, and by the name that the image gives them", async () => {
    const path = work.file("future");
    qemuImg("create", "-q", "-f", "qcow2", path, "1M");
    patch(path, 72, Uint8Array.of(0x80, 0, 0, 0, 0, 0, 0, 0x20));
    expect((await qcow2Of(path)).unknownFeatures).toEqual([
      { kind: "incompatible", bit: 5, name: null },
      { kind: "incompatible", bit: 63, name: null },
    ]);
    // The first name of qemu's table is the dirty bit's.
    const table = readFileSync(path).indexOf("dirty bit");
    patch(path, table - 1, Uint8Array.of(5, ...Buffer.from("time travel\0")));
    const { unknownFeatures, featureNames } = await qcow2Of(path);
    expect(unknownFeatures[0]).toEqual({ kind: "incompatible", bit: 5, name: "time travel" });
    expect(featureNames).toContainEqual({ kind: "compatible", bit: 0, name: "lazy refcounts" });
  });

  test("bitmaps that a program without knowledge of them wrote past are not to be trusted", async () => {
    const path = work.file("stale-bitmaps");
    qemuImg("create", "-q", "-f", "qcow2", path, "1M");
    qemuImg("bitmap", "--add", path, "b");
    patch(path, 88 + 7, Uint8Array.of(0));
    const { bitmaps, problems } = await qcow2Of(path);
    expect(bitmaps.listed).toMatchObject([{ name: "b", isInUse: true }]);
    expect(problems).toEqual(["The image was written by a program that does not know of its bitmaps."]);
  });

  test("snapshots and bitmaps beyond the limit are counted", async () => {
    const path = work.file("many");
    qemuImg("create", "-q", "-f", "qcow2", "-o", "compat=0.10", path, "1M");
    snapshots(path, ["a"]);
    const image = readFileSync(path);
    const table = Number(image.readBigUInt64BE(64));
    // What is fixed, what stands besides, and two letters; padded to 8.
    const entryBytes = Math.ceil((40 + image.readUInt32BE(table + 36) + 2) / 8) * 8;
    const one = Buffer.alloc(entryBytes);
    image.copy(one, 0, table);
    const end = Math.ceil(image.length / 65_536) * 65_536;
    patch(path, end, Buffer.concat(Array.from({ length: 300 }, () => one)));
    const head = Buffer.alloc(12);
    head.writeUInt32BE(300);
    head.writeBigUInt64BE(BigInt(end), 4);
    patch(path, 60, head);
    const { snapshots: found } = await qcow2Of(path);
    expect(found.count).toBe(300);
    expect(found.listed).toHaveLength(imageLimits.listed);
    expect(new Set(found.listed.map(({ name }) => name))).toEqual(new Set(["a"]));
  });

  test("a snapshot or bitmap with more to say than any has ends its list; those before it are shown", async () => {
    const path = work.file("talkative");
    qemuImg("create", "-q", "-f", "qcow2", path, "1M");
    snapshots(path, ["a", "b"]);
    for (const name of ["c", "d"]) qemuImg("bitmap", "--add", path, name);
    const image = readFileSync(path);
    const snapshot = Number(image.readBigUInt64BE(64));
    const secondSnapshot = snapshot + Math.ceil((40 + image.readUInt32BE(snapshot + 36) + 2) / 8) * 8;
    const extension = image.indexOf(Uint8Array.of(0x23, 0x85, 0x28, 0x75));
    const secondBitmap = Number(image.readBigUInt64BE(extension + 24)) + 32;
    // Further bytes of one, the name's length of the other.
    patch(path, secondSnapshot + 36, Uint8Array.of(0, 0, 4, 8));
    patch(path, secondBitmap + 18, Uint8Array.of(4, 0));
    patch(path, image.length, Buffer.alloc(65_536));
    const found = await qcow2Of(path);
    expect(found.snapshots.listed.map(({ name }) => name)).toEqual(["a"]);
    expect(found.bitmaps.listed.map(({ name }) => name)).toEqual(["c"]);
    expect(found.problems).toEqual([
      "A snapshot has an id of 1, a name of 1 and 1032 further bytes.",
      "A bitmap has a name of 1024 and 0 further bytes, by 2^16.",
    ]);
  });

  test("an extension that goes beyond the header ends the extensions; those before it are shown", async () => {
    const path = work.file("endless-extension");
    qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", "/base", "-F", "raw", path, "1M");
    const names = readFileSync(path).indexOf(Uint8Array.of(0x68, 0x03, 0xf8, 0x57));
    patch(path, names + 4, Uint8Array.of(0xff, 0xff, 0xff, 0xff));
    const { backing, featureNames, problems } = await qcow2Of(path);
    expect([backing, featureNames]).toEqual([{ string: "/base", format: "raw" }, []]);
    expect(problems).toEqual(["The header extension 0x6803f857 goes beyond the header."]);
  });

  test("without lists they are only counted, and their tables are not read", async () => {
    const path = work.file("counted");
    qemuImg("create", "-q", "-f", "qcow2", path, "1M");
    snapshots(path, ["a", "b"]);
    qemuImg("bitmap", "--add", path, "c");
    await withFileSource(path, async (source) => {
      const details = await readImage(source, "qcow2", { lists: false });
      expect(details?.qcow2).toMatchObject({ snapshots: { count: 2, listed: [] }, bitmaps: { count: 1, listed: [] } });
      expect(source.reads).toBe(1);
    });
  });
});

describe("what is read of other formats is what qemu-img says", () => {
  const rows: { format: string; options?: string[]; name?: string; expected?: Partial<ImageDetails> }[] = [
    { format: "qcow", expected: { version: 1, clusterSizeBytes: 4_096n } },
    { format: "qcow", name: "over", options: ["-u", "-b", "/base", "-F", "raw"] },
    { format: "qed" },
    { format: "qed", name: "over-raw", options: ["-u", "-b", "/base", "-F", "raw"] },
    { format: "qed", name: "over", options: ["-u", "-b", "/base", "-F", "qcow2"] },
    { format: "vdi", expected: { subformat: "dynamic", clusterSizeBytes: 1_048_576n } },
    { format: "vdi", name: "static", options: ["-o", "static=on"], expected: { subformat: "fixed" } },
    { format: "vpc", expected: { subformat: "dynamic", clusterSizeBytes: 2_097_152n } },
    { format: "vpc", name: "fixed", options: ["-o", "subformat=fixed"], expected: { subformat: "fixed" } },
    { format: "parallels", expected: { version: 2, clusterSizeBytes: 1_048_576n } },
    { format: "vmdk", expected: { subformat: "monolithicSparse", dataFiles: [], clusterSizeBytes: 65_536n } },
    { format: "vmdk", name: "stream", options: ["-o", "subformat=streamOptimized"], expected: { dataFiles: [] } },
    {
      format: "vmdk",
      name: "flat",
      options: ["-o", "subformat=monolithicFlat"],
      expected: { subformat: "monolithicFlat", dataFiles: ["vmdk-flat-flat.vmdk"] },
    },
    {
      format: "vmdk",
      name: "split",
      options: ["-o", "subformat=twoGbMaxExtentSparse"],
      expected: { dataFiles: ["vmdk-split-s001.vmdk"] },
    },
    {
      format: "luks",
      options: ["--object", "secret,id=k,data=x", "-o", "key-secret=k,iter-time=10"],
      expected: { subformat: "aes-xts-plain64", version: 1, encryption: "luks" },
    },
  ];
  test.each(rows)("$format $name", async ({ format, name = "plain", options = [], expected = {} }) => {
    const path = work.file(`${format}-${name}.${format}`);
    qemuImg("create", "-q", "-f", format, ...options, path, "8M");
    const ours = await detailsOf(path, format);
    const info: QemuInfo = JSON.parse(qemuImg("info", "-f", format, "--output=json", path));
    expect(ours).toMatchObject({ format, problems: [], qcow2: null, ...expected });
    expect(ours.capacityBytes).toBe(BigInt(info["virtual-size"]));
    expect(ours.backing?.string).toBe(info["backing-filename"]);
    // Of a text that names sparse extents qemu-img says the grain of these.
    if (info["cluster-size"] !== undefined && name !== "split")
      expect(ours.clusterSizeBytes).toBe(BigInt(info["cluster-size"]));
  });

  test("an overlay of vmdk names its parent, which can only be vmdk", async () => {
    qemuImg("create", "-q", "-f", "vmdk", work.file("parent.vmdk"), "8M");
    const path = work.file("child.vmdk");
    qemuImg("create", "-q", "-f", "vmdk", "-b", work.file("parent.vmdk"), "-F", "vmdk", path);
    const { backing } = await detailsOf(path, "vmdk");
    expect(backing).toEqual({ string: work.file("parent.vmdk"), format: qemuInfo(path)["backing-filename-format"] });
  });

  test("a differencing disk of vpc names its parent", async () => {
    const path = work.file("differencing.vpc");
    qemuImg("create", "-q", "-f", "vpc", path, "8M");
    for (const footer of [0, statSync(path).size - 512]) patch(path, footer + 60, Uint8Array.of(0, 0, 0, 4));
    patch(path, 512 + 64, Buffer.from("p\u00e4rent.vhd\0", "utf16le").swap16());
    expect(await detailsOf(path, "vpc")).toMatchObject({
      subformat: "differencing",
      backing: { string: "p\u00e4rent.vhd", format: "vpc" },
    });
  });

  test("headers that qemu-img does not write", async () => {
    const ascii = (text: string, size: number) => {
      const bytes = Buffer.alloc(size);
      bytes.write(text, "latin1");
      return bytes;
    };
    const bochs = ascii("Bochs Virtual HD Image", 512);
    bochs.write("Growing", 48, "latin1");
    bochs.writeUInt32LE(0x20000, 64);
    bochs.writeBigUInt64LE(1_048_576n, 88);
    const cloop = ascii("#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n", 512);
    cloop.writeUInt32BE(65_536, 128);
    cloop.writeUInt32BE(16, 132);
    const dmg = ascii("", 1_024);
    dmg.write("koly", 512, "latin1");
    dmg.writeBigUInt64BE(2_048n, 512 + 492);
    const cow = ascii("OOOM", 1_536);
    cow.writeUInt32BE(2, 4);
    cow.write("base.img", 8, "latin1");
    cow.writeBigUInt64BE(1_048_576n, 1_036);
    for (const [format, bytes] of Object.entries({ bochs, cloop, dmg, cow })) {
      const path = work.file(`made.${format}`);
      writeFileSync(path, bytes);
      expect(await detailsOf(path, format)).toMatchObject({ format, capacityBytes: 1_048_576n, problems: [] });
    }
    expect((await detailsOf(work.file("made.cow"), "cow")).backing).toEqual({ string: "base.img", format: null });
    const iso = Buffer.alloc(34_822);
    iso.write("CD001\x01", 32_769, "latin1");
    iso.writeUInt16LE(2_048, 32_768 + 128);
    writeFileSync(work.file("made.iso"), iso);
    expect(await detailsOf(work.file("made.iso"), "iso")).toMatchObject({ clusterSizeBytes: 2_048n, version: 1 });
  });
});

describe("a file that holds something else", () => {
  const formats = [
    "qcow2",
    "qcow",
    "qed",
    "vdi",
    "vpc",
    "vmdk",
    "luks",
    "iso",
    "ploop",
    "cow",
    "bochs",
    "cloop",
    "dmg",
  ];
  test.each(formats)("is not read as %s", async (format) => {
    const path = work.file(`else-${format}`);
    writeFileSync(path, Buffer.alloc(40_000, "not an image "));
    expect(await withFileSource(path, (source) => readImage(source, format, { lists: true }))).toBeNull();
    writeFileSync(path, "");
    expect(await withFileSource(path, (source) => readImage(source, format, { lists: true }))).toBeNull();
  });

  test("is not looked at when it is to be raw", async () => {
    const path = work.file("raw-by-decree");
    qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", "/etc/shadow", "-F", "raw", path, "1M");
    await withFileSource(path, async (source) => {
      expect(await readImage(source, "raw", { lists: true })).toMatchObject({ format: "raw", backing: null });
      expect(source.reads).toBe(0);
    });
  });

  test("is recognised by its first bytes where nothing was said", async () => {
    const path = work.file("unsaid");
    writeFileSync(path, Buffer.concat([Buffer.from("LUKS\xba\xbe\x00\x01", "latin1"), Buffer.alloc(600)]));
    expect(await withFileSource(path, recognise)).toBe("luks");
    qemuImg("create", "-q", "-f", "vdi", path, "1M");
    expect(await withFileSource(path, recognise)).toBe("vdi");
    writeFileSync(path, "text");
    expect(await withFileSource(path, recognise)).toBe("raw");
  });
});

function snapshots(path: string, names: readonly string[]): void {
  for (const name of names) qemuImg("snapshot", "-c", name, path);
}

function patch(path: string, offset: number, bytes: Uint8Array): void {
  const descriptor = openSync(path, "r+");
  writeSync(descriptor, bytes, 0, bytes.length, offset);
  closeSync(descriptor);
}

/** Both sides in the same words. */
function asQemuSays(ours: Qcow2Facts) {
  const isNew = ours.version === 3;
  return {
    virtualSize: Number(ours.virtualSizeBytes),
    clusterSize: Number(ours.clusterSizeBytes),
    compat: isNew ? "1.1" : "0.10",
    refcountBits: ours.refcountBits,
    compression: ours.compression,
    lazyRefcounts: isNew ? ours.hasLazyRefcounts : undefined,
    extendedL2: isNew ? ours.hasExtendedL2 : undefined,
    corrupt: isNew ? ours.isCorrupt : undefined,
    dirty: ours.isDirty,
    encrypted: ours.encryption ?? undefined,
    backing: ours.backing?.string,
    backingFormat: ours.backing?.format ?? undefined,
    dataFile: ours.dataFile?.name ?? undefined,
    dataFileRaw: ours.dataFile?.isRaw,
    snapshots: ours.snapshots.listed.map(({ id, name, createdNs, vmStateBytes }) => ({
      id,
      name,
      createdNs,
      vmStateBytes,
    })),
    snapshotCount: ours.snapshots.count,
    bitmaps: ours.bitmaps.listed.map(({ name, granularityBytes, isInUse, isRecording }) => ({
      name,
      granularity: Number(granularityBytes),
      flags: [...(isInUse ? ["in-use"] : []), ...(isRecording ? ["auto"] : [])],
    })),
    bitmapCount: ours.bitmaps.count,
  };
}

function comparable(info: QemuInfo): ReturnType<typeof asQemuSays> {
  const data = info["format-specific"]?.data ?? {};
  const said = <T>(key: string) => data[key] as T;
  const encrypt = said<{ format: "luks" } | undefined>("encrypt");
  const snapshots = info.snapshots ?? [];
  const bitmaps = said<ReturnType<typeof asQemuSays>["bitmaps"] | undefined>("bitmaps") ?? [];
  return {
    virtualSize: info["virtual-size"],
    clusterSize: info["cluster-size"] ?? 0,
    compat: said("compat"),
    refcountBits: said("refcount-bits"),
    compression: said("compression-type"),
    lazyRefcounts: said("lazy-refcounts"),
    extendedL2: said("extended-l2"),
    corrupt: said("corrupt"),
    dirty: info["dirty-flag"],
    encrypted: encrypt?.format,
    backing: info["backing-filename"],
    backingFormat: info["backing-filename-format"],
    dataFile: said("data-file"),
    dataFileRaw: said("data-file-raw"),
    snapshots: snapshots.map((snapshot) => ({
      id: snapshot.id,
      name: snapshot.name,
      createdNs: BigInt(snapshot["date-sec"]) * 1_000_000_000n + BigInt(snapshot["date-nsec"]),
      vmStateBytes: BigInt(snapshot["vm-state-size"]),
    })),
    snapshotCount: snapshots.length,
    bitmaps: bitmaps.map(({ name, granularity, flags }) => ({ name, granularity, flags })),
    bitmapCount: bitmaps.length,
  };
}
