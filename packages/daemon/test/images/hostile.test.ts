import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { randomNumbers } from "../../../../tests/robustness/mutation.ts";
import { byEffort } from "../../../../tests/support/effort.ts";
import { Hosts } from "../../dist/host/index.js";
import { type Chain, resolveChain } from "../../dist/images/chain.js";
import { CHAIN_PROBLEMS, type ChainLink } from "../../dist/images/chain-link.js";
import { HostChainStorage } from "../../dist/images/host-chain-storage.js";
import type { ImageDetails } from "../../dist/images/image-details.js";
import { linkTarget } from "../../dist/images/link-target.js";
import { readImage, recognise } from "../../dist/images/read-image.js";
import { imageLimits } from "../../dist/limits.js";
import { corpus } from "./corpus.js";
import { type CountedSource, countedSource } from "./image-source.js";
import { qcow2Image } from "./made-images.js";
import { LONG_WORDS, mutatedImage, putNumber, WORDS, withNumber } from "./mutation.js";
import { recordingHost } from "./recording-host.js";
import { workDirectory } from "./shared.js";

/** Milliseconds that no single look may take, on a machine that does other things besides. */
const LONGEST_LOOK_MS = 2_000;
const MUTATIONS = byEffort({ fast: 100, normal: 800, long: 10_000 });
/** Every so many-th of the fields of a header is tried, with every so many-th number. */
const FIELD_STEP = byEffort({ fast: 8, normal: 2, long: 1 });
const NUMBER_STEP = byEffort({ fast: 2, normal: 2, long: 1 });
const GRAPHS = byEffort({ fast: 10, normal: 60, long: 2_000 });

const TEST_MS = byEffort({ fast: 30_000, normal: 90_000, long: 1_200_000 });
vi.setConfig({ testTimeout: TEST_MS });

const LITTLE_ENDIAN = ["bochs", "iso", "parallels", "ploop", "qed", "vdi", "vmdk"];

const work = workDirectory();
let images: ReadonlyMap<string, Buffer>;
beforeAll(() => {
  images = corpus((name) => work.file(name));
});

describe("whatever a header says, a look at it ends, within its limits", () => {
  test("valid images of all formats are read without a problem", async () => {
    for (const [name, image] of images) {
      const details = await look(name, image);
      expect([name, details?.problems]).toEqual([name, []]);
    }
    expect(new Set([...images.keys()].map(formatOf)).size).toBe(14);
  });

  test("every field of every header, at and beyond what it can be", async () => {
    let looks = 0;
    for (const [name, image] of images) {
      const order = LITTLE_ENDIAN.includes(formatOf(name)) ? "little" : "big";
      for (const { offset, bytes } of fieldsOf(image)) {
        const before = Buffer.from(image.subarray(offset, offset + bytes));
        const values = (bytes === 4 ? WORDS : LONG_WORDS).concat(BigInt(image.length), BigInt(offset));
        // Not the same ones in each field.
        for (let index = (offset / 4) % NUMBER_STEP; index < values.length; index += NUMBER_STEP) {
          putNumber(image, offset, bytes, values[index] ?? 0n, order);
          await look(name, image);
          looks += 1;
        }
        before.copy(image, offset);
      }
    }
    expect(looks).toBeGreaterThan(10_000);
  });

  test("cut off anywhere", async () => {
    for (const [name, image] of images) {
      for (let length = 0; length < Math.min(image.length, 1_200); length += FIELD_STEP) {
        await look(name, image.subarray(0, length));
      }
      for (let length = 1_200; length < image.length; length += 8_191) await look(name, image.subarray(0, length));
    }
  });

  test("any number of changes at once", async () => {
    const random = randomNumbers(20_240_501);
    for (const [name, image] of images) {
      for (let round = 0; round < MUTATIONS; round++) {
        const mutated = mutatedImage(image.subarray(0, 262_144), random);
        await look(name, mutated);
        const source = countedSource(mutated);
        if (!/^[a-z0-9]+$/.test(await recognise(source))) throw new Error("a format without a name");
        mustBeBounded(source);
      }
    }
  });

  test("a format read as another", async () => {
    for (const [name, image] of images) {
      for (const other of images.keys()) {
        const details = await look(other, image);
        if (formatOf(name) === formatOf(other)) expect(details).not.toBeNull();
      }
    }
  });

  test("tables that lie in themselves, in the header, or nowhere", async () => {
    const offsets = [0n, 8n, 40n, 104n, 512n, 65_528n, 65_536n, 1n << 62n, 1n << 63n, (1n << 64n) - 1n];
    const name = "qcow2 lists";
    const image = images.get(name) ?? Buffer.alloc(0);
    const bitmaps = image.indexOf(Buffer.from([0x23, 0x85, 0x28, 0x75]));
    expect(bitmaps).toBeGreaterThan(0);
    for (const count of [1n, 3n, 65_535n, (1n << 32n) - 1n]) {
      for (const offset of offsets) {
        const snapshots = withNumber(withNumber(image, 60, 4, count, "big"), 64, 8, offset, "big");
        await look(name, snapshots);
        for (const size of offsets) {
          const counted = withNumber(image, bitmaps + 8, 4, count, "big");
          const sized = withNumber(counted, bitmaps + 16, 8, size, "big");
          await look(name, withNumber(sized, bitmaps + 24, 8, offset, "big"));
        }
      }
    }
  });

  test("as many and as long snapshots as there can be are within the limits, and shown", async () => {
    const { listed, snapshotTextBytes, snapshotExtraBytes } = imageLimits;
    const entry = Buffer.alloc(Math.ceil((40 + snapshotExtraBytes + 2 * snapshotTextBytes) / 8) * 8, "x");
    entry.writeUInt16BE(snapshotTextBytes, 12);
    entry.writeUInt16BE(snapshotTextBytes, 14);
    entry.writeUInt32BE(snapshotExtraBytes, 36);
    const head = qcow2Image();
    head.writeUInt32BE(100_000, 60);
    head.writeBigUInt64BE(BigInt(head.length), 64);
    const image = Buffer.concat([head, ...Array.from({ length: listed + 10 }, () => entry)]);
    const details = await look("qcow2 many", image);
    expect(details?.qcow2?.snapshots.count).toBe(100_000);
    expect(details?.qcow2?.snapshots.listed).toHaveLength(listed);
    expect(details?.problems).toEqual([]);
  });

  test("a descriptor of nothing but extents, or of one endless line", async () => {
    const extents = `# Disk DescriptorFile\n${'RW 999999999999999999 FLAT "x" 0\n'.repeat(3_000)}`;
    const details = await look("vmdk extents", Buffer.from(extents));
    expect(details?.dataFiles).toHaveLength(imageLimits.extents);
    for (const text of ['createType="', "RW ", 'parentFileNameHint="', "\n", '"']) {
      await look("vmdk line", Buffer.from(`# Disk DescriptorFile\n${text.repeat(200_000)}`));
    }
  });
});

describe("whatever the names in images say", () => {
  test("a description of any shape and depth is a place or none", () => {
    const target = (name: string) => {
      const found = linkTarget(name, "/images");
      expect(["path", "remote", "unusable"]).toContain(found.kind);
      if (found.kind === "path") expect(found.path).toMatch(/^\/[^\0]*$/s);
    };
    for (const depth of [1, 8, 9, 100, 20_000]) {
      target(`json:${'{"file":'.repeat(depth)}{"driver":"nbd"}${"}".repeat(depth)}`);
      target(`json:{"${"file.".repeat(depth)}filename":"/x"}`);
      target(`json:${"[".repeat(depth)}`);
    }
    fc.assert(fc.property(fc.json(), (json) => target(`json:${json}`)));
    fc.assert(fc.property(fc.string({ unit: "binary" }), target));
    const member = fc.constantFrom("file", "driver", "filename", "file.driver", "file.filename", "file.file.driver");
    const value = fc.oneof(fc.string(), fc.constantFrom("file", "qcow2", "nbd", "/x"), fc.integer(), fc.constant(null));
    const object = fc.dictionary(member, fc.oneof(value, fc.dictionary(member, value)));
    fc.assert(fc.property(object, (described) => target(`json:${JSON.stringify(described)}`)));
  });
});

describe("whatever chains images make", () => {
  const hosts = new Hosts();
  let root: string;
  let server: ReturnType<typeof createServer>;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "cistern-hostile-"));
    for (const directory of ["pool", "pool/below", "out"]) mkdirSync(join(root, directory));
    execFileSync("mkfifo", [join(root, "pool", "fifo"), join(root, "out", "fifo")]);
    server = createServer().listen(join(root, "pool", "socket"));
    writeFileSync(join(root, "out", "secret"), qcow2Image({ backing: "/etc/shadow", format: "raw" }));
    symlinkSync("../out/secret", join(root, "pool", "link"));
    symlinkSync("../out", join(root, "pool", "linked"));
    symlinkSync("loop", join(root, "pool", "loop"));
    symlinkSync("fifo", join(root, "pool", "to-fifo"));
  });
  afterAll(async () => {
    server.close();
    await hosts.close();
    rmSync(root, { recursive: true, force: true });
  });

  const NAMES = [
    ...["fifo", "to-fifo", "socket", "loop", "link", "linked/secret", "linked/fifo", "below", "below/..", "gone", "."],
    ...["../out/secret", "/dev/zero", "/dev/tty", "/proc/kmsg", "/proc/self/mem", "/etc/passwd", "file:n1", "nbd:x"],
    `${"below/../".repeat(100)}n0`,
    `${"../".repeat(300)}etc/passwd`,
    'json:{"driver":"qcow2","file":{"driver":"file","filename":"/dev/zero"}}',
    `json:${'{"file":'.repeat(100)}1${"}".repeat(100)}`,
    "x".repeat(1_000),
    "\u00e4\udcff",
    "",
  ];
  const FORMATS = [
    undefined,
    undefined,
    "raw",
    "qcow2",
    "qcow2",
    "qed",
    "vmdk",
    "vpc",
    "luks",
    "iso",
    "",
    "x".repeat(60),
  ];

  test("only regular files are opened, each once, raw ones never, and little is read", async () => {
    const random = randomNumbers(7);
    const pick = <T>(values: readonly T[]) => values[Math.floor(random() * values.length)] as T;
    const pool = join(root, "pool");
    const name = () => (random() < 0.6 ? `n${Math.floor(random() * 12)}` : pick(NAMES));
    const seeds = [...images.values()].map((image) => image.subarray(0, 262_144));
    const problems = new Set<string>();
    let links = 0;
    for (let graph = 0; graph < GRAPHS; graph++) {
      for (let file = 0; file < 12; file++) {
        const format = pick(FORMATS);
        const dataFile = random() < 0.2 ? { dataFile: name() } : {};
        const made = qcow2Image({ backing: name(), ...(format === undefined ? {} : { format }), ...dataFile });
        const kind = random();
        const image = kind < 0.5 ? made : mutatedImage(kind < 0.8 ? made : pick(seeds), random);
        writeFileSync(join(pool, `n${file}`), image);
      }
      const format = pick(["qcow2", "qcow2", "qcow2", "raw", "vmdk"]);
      const startedAtMs = performance.now();
      const { chain, opened, bytes } = await resolved(join(pool, "n0"), format);
      expect(performance.now() - startedAtMs).toBeLessThan(LONGEST_LOOK_MS);
      expectRules(chain, opened, bytes);
      for (const link of chain.links) for (const { kind } of link.problems) problems.add(kind);
      links += chain.links.length;
    }
    expect(links).toBeGreaterThan(GRAPHS);
    // The fuzz goes where the rules are. (Chains of 200 links are in chain.test.ts.)
    if (GRAPHS >= 60)
      expect(CHAIN_PROBLEMS.filter((kind) => !problems.has(kind))).toEqual(["too-deep", ...neverMet(problems)]);
    expect(readdirSync(join(root, "out")).sort()).toEqual(["fifo", "secret"]);
  });

  async function resolved(path: string, format: string): Promise<{ chain: Chain; opened: string[]; bytes: number }> {
    const recorded = recordingHost(hosts.local);
    const { dev, ino } = statSync(join(root, "pool"), { bigint: true });
    const directory = {
      pool: "p",
      path: join(root, "pool"),
      identity: { device: dev, inode: ino },
      hasVolume: () => true,
    };
    const storage = new HostChainStorage(recorded.host, [directory], new AbortController().signal);
    const chain = await resolveChain({ path, format, isLuks: false, followsSymlink: false }, storage);
    expect(recorded.open.count).toBe(0);
    return { chain, opened: recorded.opened, bytes: recorded.read.bytes };
  }
});

function neverMet(problems: ReadonlySet<string>): string[] {
  // Root may read everything.
  return process.getuid?.() === 0 && !problems.has("unreadable") ? ["unreadable"] : [];
}

/** The rules of chain.ts, told from what came out and what was opened. */
function expectRules({ links }: Chain, opened: readonly string[], bytes: number): void {
  const inodes = opened.map((path) => statSync(path).ino);
  for (const path of opened) expect([path, statSync(path).isFile()]).toEqual([path, true]);
  expect(new Set(inodes).size).toBe(inodes.length);
  expect(links.length).toBeLessThanOrEqual(imageLimits.chainLinks + imageLimits.chainDataFiles);
  expect(bytes).toBeLessThanOrEqual(opened.length * (imageLimits.imageBytes + 2 * 33_280));
  for (const link of links) {
    const isCycle = link.problems.some(({ kind }) => kind === "cycle");
    if (link.path === null || isCycle || !isRawByOrder(link) || link.place !== "file") continue;
    expect([link.path, inodes.includes(statSync(link.path).ino)]).toEqual([link.path, false]);
    expect(link.image).toBeNull();
  }
}

function isRawByOrder({ format, formatOrigin }: ChainLink): boolean {
  return format === "raw" && formatOrigin !== "probed";
}

function formatOf(name: string): string {
  return name.slice(0, name.indexOf(" "));
}

/** Numbers of 4 and 8 bytes in the first half KiB and the last 512 bytes of an image. */
function* fieldsOf(image: Buffer): Generator<{ offset: number; bytes: 4 | 8 }> {
  const places = [
    { from: 0, to: Math.min(image.length, 544) },
    { from: Math.max(544, image.length - 512), to: image.length },
  ];
  for (const { from, to } of places) {
    for (let offset = from & ~3; offset + 8 <= to; offset += 4 * FIELD_STEP) {
      for (const bytes of [4, 8] as const) yield { offset, bytes };
    }
  }
}

/** Clients are told of numbers that have 64 bits and no sign. */
function mustBeTellable(value: unknown): void {
  if (typeof value === "bigint" && (value < 0n || value >= 1n << 64n))
    throw new Error(`a client cannot be told ${value}`);
  if (typeof value === "object" && value !== null) Object.values(value).forEach(mustBeTellable);
}

/** Reads an image as its name says, and checks what is promised of any. */
async function look(name: string, image: Uint8Array): Promise<ImageDetails | null> {
  const source = countedSource(image);
  const startedAtMs = performance.now();
  const details = await readImage(source, formatOf(name), { lists: true });
  const tookMs = performance.now() - startedAtMs;
  mustBeTellable(details);
  if (tookMs > LONGEST_LOOK_MS) throw new Error(`a look took ${tookMs} ms`);
  mustBeBounded(source);
  if (details !== null) mustBePlain(details);
  return details;
}

/** Not by expect: it is asked a million times. */
function mustBeBounded({ bytesRead, reads }: CountedSource): void {
  if (bytesRead > imageLimits.imageBytes || reads > imageLimits.imageReads) {
    throw new Error(`${bytesRead} bytes were read in ${reads} steps`);
  }
}

function mustBePlain(details: ImageDetails): void {
  const { backing, dataFiles, problems, qcow2 } = details;
  const lengths = [
    [problems.length, imageLimits.problems],
    [dataFiles.length, imageLimits.extents],
    [backing?.string.length ?? 0, imageLimits.backingNameBytes],
    [details.subformat?.length ?? 0, imageLimits.formatNameBytes],
    [backing?.format?.length ?? 0, imageLimits.formatNameBytes],
    [qcow2?.snapshots.listed.length ?? 0, imageLimits.listed],
    [qcow2?.bitmaps.listed.length ?? 0, imageLimits.listed],
    [qcow2?.featureNames.length ?? 0, imageLimits.featureNames],
    [Math.max(0, ...problems.map((problem) => problem.length)), 300],
  ] as const;
  for (const [length, limit] of lengths) {
    if (length > limit) throw new Error(`${length} is beyond ${limit}: ${JSON.stringify(details.problems)}`);
  }
  const sizes = [details.capacityBytes, details.clusterSizeBytes, qcow2?.virtualSizeBytes];
  if (sizes.some((size) => typeof size === "bigint" && size < 0n)) throw new Error("a size is negative");
}
