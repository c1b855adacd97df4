import { execFileSync } from "node:child_process";
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { fuseRequirements, mountFuse } from "../../../../tests/support/fuse.ts";
import { attachLoop } from "../../../../tests/support/loop.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import { Hosts } from "../../dist/host/index.js";
import { type Chain, resolveChain } from "../../dist/images/chain.js";
import type { ChainLink, ChainProblemKind } from "../../dist/images/chain-link.js";
import { HostChainStorage, type PoolDirectory } from "../../dist/images/host-chain-storage.js";
import { imageLimits } from "../../dist/limits.js";
import { qcow2Image, type Wanted } from "./made-images.js";
import { recordingHost } from "./recording-host.js";
import { qemuImg } from "./shared.js";

const hosts = new Hosts();
afterAll(() => hosts.close());

let root: string;
/** The directory of the pool "p". */
let images: string;
let recorded: ReturnType<typeof recordingHost>;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "cistern-chain-"));
  images = join(root, "images");
  mkdirSync(images);
  recorded = recordingHost(hosts.local);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe("a chain is what qemu-img follows", () => {
  test.each([
    ["absolute names", (base: string) => base],
    ["relative names", (base: string) => basename(base)],
    ["names by the parent directory", (base: string) => `../images/${basename(base)}`],
    ["files by their protocol", (base: string) => `file:${base}`],
    ["descriptions", (base: string) => `json:{"driver":"qcow2","file":{"driver":"file","filename":"${base}"}}`],
    ["flat descriptions", (base: string) => `json:{"driver":"qcow2","file.driver":"file","file.filename":"${base}"}`],
  ])("%s", async (_, named) => {
    qemuImg("create", "-q", "-f", "qcow2", image("a"), "1M");
    qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", named(image("a")), "-F", "qcow2", image("b"), "2M");
    qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", named(image("b")), "-F", "qcow2", image("c"), "3M");
    const ours = await chain("c");
    const theirs: { "virtual-size": number; filename: string; format: string }[] = JSON.parse(
      qemuImg("info", "--backing-chain", "--output=json", image("c")),
    );
    const inodes = theirs.map(({ filename }) => statSync(described(filename)).ino);
    expect(ours.isComplete).toBe(true);
    expect(ours.links.map(({ format }) => format)).toEqual(theirs.map(({ format }) => format));
    expect(ours.links.map(({ capacityBytes }) => Number(capacityBytes))).toEqual(
      theirs.map((link) => link["virtual-size"]),
    );
    expect(ours.links.map(({ path }) => statSync(path ?? "").ino)).toEqual(inodes);
    expect(ours.links.map(({ role, namedBy, formatOrigin }) => [role, namedBy, formatOrigin])).toEqual([
      ["volume", null, "recorded"],
      ["backing", 0, "declared"],
      ["backing", 1, "declared"],
    ]);
    expect(ours.links.flatMap(({ problems }) => problems)).toEqual([]);
    expect(recorded.open.count).toBe(0);
  });

  test("over other formats, each as it declares the one below", async () => {
    qemuImg("create", "-q", "-f", "raw", image("raw"), "1M");
    qemuImg("create", "-q", "-f", "qed", "-b", image("raw"), "-F", "raw", image("qed"));
    qemuImg("create", "-q", "-f", "qcow", "-b", image("qed"), "-F", "qed", image("qcow"));
    qemuImg("create", "-q", "-f", "qcow2", "-b", image("qcow"), "-F", "qcow", image("top"));
    const { links } = await chain("top");
    expect(links.map(({ format, formatOrigin }) => `${format} ${formatOrigin}`)).toEqual([
      "qcow2 recorded",
      "qcow declared",
      // qcow has no place for the format of what is below.
      "qed probed",
      "raw declared",
    ]);
  });

  test("a data file is a link of its own, raw by rule, before the backing file", async () => {
    qemuImg("create", "-q", "-f", "raw", image("base"), "1M");
    const data = `data_file=${image("data")}`;
    qemuImg("create", "-q", "-f", "qcow2", "-o", data, "-b", "base", "-F", "raw", image("top"));
    const { links } = await chain("top");
    expect(links.map(({ role, namedBy, format, formatOrigin }) => [role, namedBy, format, formatOrigin])).toEqual([
      ["volume", null, "qcow2", "recorded"],
      ["data", 0, "raw", "rule"],
      ["backing", 0, "raw", "declared"],
    ]);
    expect(links[1]).toMatchObject({ path: image("data"), inside: { pool: "p", volume: "data" } });
  });

  test("extents of vmdk are links of no known format", async () => {
    qemuImg("create", "-q", "-f", "vmdk", "-o", "subformat=monolithicFlat", image("flat.vmdk"), "1M");
    const { links } = await chain("flat.vmdk", { format: "vmdk" });
    expect(links.map(({ name, role, format }) => [name, role, format])).toEqual([
      [image("flat.vmdk"), "volume", "vmdk"],
      ["flat-flat.vmdk", "data", null],
    ]);
  });
});

describe("the format of a link", () => {
  test("declared raw is never doubted, whatever a guest wrote there, and the file is not opened", async () => {
    make("guest", { backing: "/etc/passwd", format: "raw" });
    make("top", { backing: "guest", format: "raw" });
    const { links, isComplete } = await chain("top");
    expect(links).toHaveLength(2);
    expect(links[1]).toMatchObject({ format: "raw", formatOrigin: "declared", image: null, capacityBytes: 65_536n });
    expect(isComplete).toBe(true);
    expect(recorded.opened).toEqual([image("top")]);
  });

  test("recorded raw neither", async () => {
    make("guest", { backing: "/etc/passwd", format: "raw" });
    const { links } = await chain("guest", { format: "raw" });
    expect(links).toMatchObject([{ format: "raw", formatOrigin: "recorded", image: null, problems: [] }]);
    expect(recorded.opened).toEqual([]);
  });

  test("a data file is raw, even when it holds an image", async () => {
    make("data", { backing: "/etc/passwd", format: "raw" });
    make("top", { dataFile: "data" });
    const { links } = await chain("top");
    expect(links.map(({ name, format, image }) => [name, format, image === null])).toEqual([
      [image("top"), "qcow2", false],
      ["data", "raw", true],
    ]);
    expect(recorded.opened).toEqual([image("top")]);
  });

  test("is probed only where nothing is declared", async () => {
    make("base");
    make("top", { backing: "base" });
    expect((await chain("top")).links[1]).toMatchObject({ format: "qcow2", formatOrigin: "probed" });
    writeFileSync(image("base"), "just text");
    expect((await chain("top")).links[1]).toMatchObject({ format: "raw", formatOrigin: "probed", image: null });
    writeFileSync(image("base"), "");
    recorded.opened.length = 0;
    expect((await chain("top")).links[1]).toMatchObject({ format: "raw", formatOrigin: "probed", problems: [] });
    expect(recorded.opened).toEqual([image("top")]);
  });

  test("that is not what the file holds is told, and ends the chain", async () => {
    make("base", { backing: "/etc/passwd", format: "raw" });
    for (const [declared, detail] of [
      ["vmdk", "It should be vmdk, but holds qcow2."],
      ["qed", "It should be qed, but holds qcow2."],
    ] as const) {
      make("top", { backing: "base", format: declared });
      const { links, isComplete } = await chain("top");
      expect(links[1]?.problems).toEqual([{ kind: "format-differs", detail }]);
      expect([links.length, isComplete]).toEqual([2, false]);
    }
    writeFileSync(image("base"), "");
    make("top", { backing: "base", format: "qcow2" });
    expect(kinds((await chain("top")).links[1])).toEqual(["format-differs"]);
  });

  test("of which nothing is known ends the chain; the file is not opened", async () => {
    make("base");
    make("top", { backing: "base", format: "vhdx" });
    const { links, isComplete } = await chain("top");
    expect(kinds(links[1])).toEqual(["unknown-format"]);
    expect(isComplete).toBe(false);
    expect(recorded.opened).toEqual([image("top")]);
  });

  test("recorded raw in a LUKS envelope: that header is read, and nothing else follows from it", async () => {
    const luks = Buffer.alloc(8_192);
    luks.write("LUKS\xba\xbe\x00\x01aes", "latin1");
    luks.write("xts-plain64", 40, "latin1");
    luks.writeUInt32BE(8, 104);
    writeFileSync(image("luks"), luks);
    const { links } = await chain("luks", { format: "raw", isLuks: true });
    expect(links).toMatchObject([
      { format: "raw", capacityBytes: 4_096n, image: { format: "luks", subformat: "aes-xts-plain64" } },
    ]);
  });
});

describe("what is wrong with a link is said there", () => {
  test.each<[string, string, ChainProblemKind]>([
    ["nothing there", "gone", "missing"],
    ["a file for a directory", "top/x", "missing"],
    ["a name that is too long", "n".repeat(300), "missing"],
    ["a directory", ".", "special"],
    ["another directory", "directory", "special"],
    ["a FIFO", "fifo", "special"],
    ["a symlink to a FIFO", "to-fifo", "special"],
    ["a socket", "socket", "special"],
    ["a device of characters", "/dev/zero", "special"],
    ["a symlink to itself", "to-itself", "unreadable"],
    ["a description of nothing", "json:{}", "unusable-name"],
    ["a description without a path", 'json:{"driver":"file"}', "unusable-name"],
    ["a description with a relative path", 'json:{"driver":"file","filename":"x"}', "unusable-name"],
    ["a description that is none", "json:{", "unusable-name"],
    ["a directory as a FAT disk", "fat:/etc", "unusable-name"],
    ["a relative path by protocol", "file:x", "unusable-name"],
  ])("%s", async (_, name, kind) => {
    mkdirSync(image("directory"));
    execFileSync("mkfifo", [image("fifo")]);
    symlinkSync("fifo", image("to-fifo"));
    symlinkSync("to-itself", image("to-itself"));
    const server = createServer().listen(image("socket"));
    try {
      for (const format of ["raw", "qcow2", undefined]) {
        make("top", { backing: name, ...(format === undefined ? {} : { format }) });
        const { links, isComplete } = await chain("top");
        expect(kinds(links[1])).toContain(kind);
        expect([links.length, isComplete]).toEqual([2, false]);
      }
      expect(new Set(recorded.opened)).toEqual(new Set([image("top")]));
      expect(recorded.open.count).toBe(0);
    } finally {
      server.close();
    }
  });

  test.each([
    ["a file alone is raw, whatever a guest wrote into it", '{"driver":"file","filename":"BASE"}', null],
    ["a device alone is, too", '{"driver":"host_device","filename":"BASE"}', null],
    ["a file alone is what the image above says", '{"driver":"file","filename":"BASE"}', "qcow2"],
    ["an image without a format is what its first bytes say", '{"file":{"driver":"file","filename":"BASE"}}', null],
  ])("of descriptions, %s", async (_, description, format) => {
    make("secret", {});
    make("base", { backing: image("secret"), format: "raw" });
    const backing = `json:${description.replace("BASE", image("base"))}`;
    make("top", format === null ? { backing } : { backing, format });
    const { links } = await chain("top");
    const isRaw = !description.includes('file":{') && format === null;
    expect(links[1]).toMatchObject({ path: image("base"), format: isRaw ? "raw" : "qcow2" });
    expect(links.length).toBe(isRaw ? 2 : 3);
    if (isRaw) expect(recorded.opened).toEqual([image("top")]);
  });

  test.each(["nbd://127.0.0.1/x", "rbd:pool/image", "https://host/x", 'json:{"driver":"nbd","host":"h"}', "ssh://h/x"])(
    "%s is kept word for word and ends the chain",
    async (name) => {
      make("top", { backing: name, format: "qcow2" });
      const { links, isComplete } = await chain("top");
      expect(links[1]).toMatchObject({ name, place: "remote", path: null, format: "qcow2", problems: [] });
      expect(isComplete).toBe(true);
    },
  );

  test("a file that comes again, by whatever path: cycle", async () => {
    make("other", { backing: "hard", format: "qcow2" });
    make("top", { backing: "other", format: "qcow2" });
    linkSync(image("top"), image("hard"));
    expect(kinds((await chain("top")).links[2])).toEqual(["cycle"]);
    make("self", { backing: "self", format: "raw" });
    expect(kinds((await chain("self")).links[1])).toEqual(["cycle"]);
    symlinkSync("self2", image("link"));
    make("self2", { backing: "link", format: "qcow2" });
    expect((await chain("self2")).links[1]?.problems).toEqual([
      { kind: "cycle", detail: "It is link 0 of this chain already." },
    ]);
    make("own-data", { dataFile: "own-data" });
    expect(kinds((await chain("own-data")).links[1])).toEqual(["cycle"]);
  });

  test("a chain of 200 links is followed, the next is not looked at", async () => {
    const { chainLinks } = imageLimits;
    make("0");
    for (let index = 1; index <= chainLinks; index++) make(`${index}`, { backing: `${index - 1}`, format: "qcow2" });
    const whole = await chain(`${chainLinks - 1}`);
    expect([whole.links.length, whole.isComplete]).toEqual([200, true]);
    recorded.opened.length = 0;
    const longer = await chain(`${chainLinks}`);
    expect([longer.links.length, longer.isComplete]).toEqual([200, false]);
    expect(longer.links.at(-1)?.problems).toEqual([
      { kind: "too-deep", detail: 'The chain goes on with "0" beyond 200 links.' },
    ]);
    expect(recorded.opened).not.toContain(image("0"));
  });

  test("damaged headers, with what is damaged", async () => {
    const top = qcow2Image({ backing: "base", format: "raw" });
    top.writeUInt32BE(5_000, 16);
    writeFileSync(image("top"), top);
    const { links, isComplete } = await chain("top");
    expect(links[0]?.problems).toEqual([{ kind: "damaged", detail: "The backing file name is 5000 bytes long." }]);
    expect(isComplete).toBe(false);
  });
});

describe("where a chain leads", () => {
  test("volumes of active pools are named", async () => {
    mkdirSync(join(root, "bases"));
    writeFileSync(join(root, "bases", "base"), qcow2Image());
    make("middle", { backing: "../bases/base", format: "qcow2" });
    make("top", { backing: "middle", format: "qcow2" });
    const { links } = await chain("top", { pools: { p: images, bases: join(root, "bases") } });
    expect(links.map(({ inside }) => inside)).toEqual([
      { pool: "p", volume: "top" },
      { pool: "p", volume: "middle" },
      { pool: "bases", volume: "base" },
    ]);
  });

  test.each<[string, string, boolean]>([
    ["a path", "OUT/base", true],
    ["..", "../out/base", true],
    ["a symlink", "link", true],
    ["a directory's symlink", "linked/base", true],
    [".. behind a directory's symlink", "linked/../out/base", true],
    ["a description", 'json:{"driver":"file","filename":"OUT/base"}', true],
    ["a directory below the pool's", "below/deep/base", false],
    ["a symlink from below back into it", "below/back", false],
    ["a detour", "../out/../images/base", false],
  ])("%s out of all pools is told, and followed only to files", async (_, name, isOutside) => {
    const out = join(root, "out");
    for (const path of [out, image("below"), image("below/deep")]) mkdirSync(path);
    for (const path of [join(out, "base"), image("base"), image("below/deep/base")]) writeFileSync(path, qcow2Image());
    symlinkSync("../out/base", image("link"));
    symlinkSync(out, image("linked"));
    symlinkSync("../base", image("below/back"));
    make("top", { backing: name.replace("OUT", out), format: "qcow2" });
    const { links, isComplete } = await chain("top");
    expect(kinds(links[1])).toEqual(isOutside ? ["outside"] : []);
    expect(links[1]).toMatchObject({ format: "qcow2", image: { format: "qcow2" } });
    expect(isComplete).toBe(true);
    if (name === "link") expect(links[1]?.inside).toEqual({ pool: "p", volume: "link" });
    if (name.startsWith("below/deep")) expect(links[1]?.inside).toEqual({ pool: "p", volume: null });
  });

  test.each(["/proc/version", "/proc/kmsg", "/sys/kernel/uevent_seqnum", "/proc/self/mem"])(
    "%s is no storage and is not opened",
    async (name) => {
      make("top", { backing: name });
      const { links } = await chain("top");
      expect(kinds(links[1])).toEqual(["outside", "special"]);
      expect(recorded.opened).toEqual([image("top")]);
    },
  );

  test("a symlink in place of the volume is not followed, unless it was one when it was found", async () => {
    writeFileSync(join(root, "elsewhere"), qcow2Image());
    symlinkSync("../elsewhere", image("top"));
    expect(kinds((await chain("top")).links[0])).toEqual(["special"]);
    expect(recorded.opened).toEqual([]);
    const { links } = await chain("top", { followsSymlink: true });
    expect(links[0]).toMatchObject({ image: { format: "qcow2" }, inside: { pool: "p", volume: "top" } });
    expect(kinds(links[0])).toEqual(["outside"]);
  });

  test("a file that is replaced between the look and the opening is not read", async () => {
    make("top");
    make("other");
    await using look = await openLook("top");
    renameSync(image("other"), image("top"));
    await expect(look.open()).rejects.toThrow("it was replaced meanwhile");
    expect(recorded.open.count).toBe(1);
  });

  test("a FIFO put there between the look and the opening is not read either", async () => {
    make("top");
    await using look = await openLook("top");
    rmSync(image("top"));
    execFileSync("mkfifo", [image("top")]);
    await expect(look.open()).rejects.toThrow("it was replaced meanwhile");
    rmSync(image("top"));
    symlinkSync("/etc/passwd", image("top"));
    await expect(look.open()).rejects.toThrow("ELOOP");
  });

  test("block devices are links too, as large as they are", async (context) => {
    context.skip(process.getuid?.() !== 0, "needs root");
    using loop = attachLoop(2_097_152);
    make("top", { backing: loop.device, format: "raw" });
    expect((await chain("top")).links[1]).toMatchObject({ place: "block", sizeBytes: 2_097_152n, format: "raw" });
    make("top", { backing: loop.device, format: "qcow2" });
    expect(kinds((await chain("top")).links[1])).toEqual(["outside", "format-differs"]);
  });
});

describe("time", () => {
  test("after its deadline a chain ends, with that as its problem", async () => {
    make("top");
    const gaveUp = AbortSignal.abort(new Error("the test gave up"));
    const storage = new HostChainStorage(hosts.local, [], gaveUp);
    const start = { path: image("top"), format: "qcow2", isLuks: false, followsSymlink: false };
    const { links, isComplete } = await resolveChain(start, storage);
    expect(kinds(links[0])).toEqual(["unreadable"]);
    expect(isComplete).toBe(false);
  });

  test("storage that hangs holds a chain no longer than that", async (context) => {
    const reason = missing(fuseRequirements);
    context.skip(reason !== null, reason ?? "");
    for (const name of ["source", "mounted"]) mkdirSync(join(root, name));
    writeFileSync(join(root, "source", "base"), qcow2Image());
    make("top", { backing: "../mounted/base", format: "qcow2" });
    const patient = new Hosts({ remoteTimeoutMs: 20_000 });
    const mount = await mountFuse(join(root, "source"), join(root, "mounted"));
    try {
      const start = { path: image("top"), format: "qcow2", isLuks: false, followsSymlink: false };
      const look = (ms: number) =>
        resolveChain(start, new HostChainStorage(patient.local, [], AbortSignal.timeout(ms)));
      expect((await look(20_000)).links[1]).toMatchObject({ format: "qcow2", capacityBytes: 1_048_576n });
      mount.hang();
      const startedAtMs = performance.now();
      const { links } = await look(500);
      expect(kinds(links[1])).toContain("unreadable");
      expect(performance.now() - startedAtMs).toBeLessThan(5_000);
    } finally {
      mount.recover();
      await patient.close();
      await mount.unmount();
    }
  });

  test("of a huge file only the header is read", async () => {
    make("base");
    truncateSync(image("base"), 2 ** 42);
    make("top", { backing: "base" });
    expect((await chain("top")).links[1]).toMatchObject({ format: "qcow2", sizeBytes: 2n ** 42n });
    expect(recorded.read.bytes).toBeLessThan(300_000);
  });
});

function image(name: string): string {
  return join(images, name);
}

function make(name: string, wanted: Wanted = {}): void {
  writeFileSync(image(name), qcow2Image(wanted));
}

interface Start {
  readonly format?: string;
  readonly isLuks?: boolean;
  readonly followsSymlink?: boolean;
  /** Directories by pool. */
  readonly pools?: Readonly<Record<string, string>>;
}

function chain(name: string, start: Start = {}): Promise<Chain> {
  const { pools = { p: images }, format = "qcow2", isLuks = false, followsSymlink = false } = start;
  const storage = new HostChainStorage(recorded.host, Object.entries(pools).map(poolDirectory), never());
  return resolveChain({ path: image(name), format, isLuks, followsSymlink }, storage);
}

async function openLook(name: string) {
  const look = await new HostChainStorage(recorded.host, [], never()).look(image(name), false);
  if (look.kind === "obstacle") throw new Error(`${name} was not found`);
  return look;
}

function poolDirectory([pool, path]: [string, string]): PoolDirectory {
  const { dev, ino } = statSync(path, { bigint: true });
  return { pool, path, identity: { device: dev, inode: ino }, hasVolume: () => true };
}

function never(): AbortSignal {
  return new AbortController().signal;
}

function kinds(link: ChainLink | undefined): ChainProblemKind[] {
  return link?.problems.map(({ kind }) => kind) ?? [];
}

/** qemu-img says what it opened as a description, where one was given. */
function described(filename: string): string {
  if (!filename.startsWith("json:")) return filename;
  const { file } = JSON.parse(filename.slice("json:".length));
  return file.filename;
}
