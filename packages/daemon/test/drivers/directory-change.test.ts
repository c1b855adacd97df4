import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import type { VolumeDocument } from "@cistern/documents";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { directoryDriver } from "../../dist/drivers/directory.js";
import type { Job } from "../../dist/jobs/job.js";
import { qemuImg } from "../images/shared.js";
import { pool, volume, volumeIn, type Wanted } from "./documents.js";
import { create, errorOf, Laboratory } from "./laboratory.js";
import { hostWith, standIn } from "./stand-in.js";

let laboratory: Laboratory;
let images: string;
beforeEach(() => {
  laboratory = new Laboratory();
  images = laboratory.path("images");
  mkdirSync(images);
});
afterEach(() => laboratory.close());

const MiB = 1_048_576n;
const at = (...names: string[]): string => laboratory.path("images", ...names);
const definition = () => pool("dir", images);
const make = async (name: string, wanted: Wanted = {}) =>
  create(directoryDriver, definition(), volume(name, wanted), await laboratory.context());
/** A file that is there as a document of this format. */
const as = (name: string, format: string): VolumeDocument => volumeIn(images, name, { format });
const writeAt = (name: string, offset: number, text: string): void => {
  const file = openSync(at(name), "r+");
  writeSync(file, text, offset);
  closeSync(file);
};
const { volumes } = directoryDriver;
if (volumes === undefined) throw new Error("a directory has volumes");
const { remove, resize, wipe, openForDownload, openForUpload } = volumes;
/** As after a restart: nothing is known of the file but its document. */
const refresh = async (document: VolumeDocument, probe = false): Promise<VolumeDocument> => {
  const again = await volumes.refresh?.(definition(), { document, evidence: null }, probe, laboratory.host);
  if (again === undefined) throw new Error("a directory's volumes can be looked at again");
  return again.document;
};

describe("a file that is gone", () => {
  let gone: VolumeDocument;
  beforeEach(async () => {
    gone = await make("v1");
    rmSync(at("v1"));
  });
  const rows: [string, (gone: VolumeDocument) => Promise<unknown> | undefined, string][] = [
    ["refresh", (v) => refresh(v), "50/18 Storage volume not found: no storage vol with matching path '@/v1'"],
    ["probe", (v) => refresh(v, true), "50/18 Storage volume not found: no storage vol with matching path '@/v1'"],
    [
      "wipe",
      async (v) => wipe?.(definition(), v, 0, await laboratory.context()),
      "38/18 Failed to open storage volume with path '@/v1': No such file or directory",
    ],
    [
      "resize",
      async (v) => resize?.(definition(), v, MiB, 0, await laboratory.context()),
      "38/0 Unable to open '@/v1': No such file or directory",
    ],
    [
      "upload",
      async (v) => openForUpload?.(definition(), v, await laboratory.context()),
      "38/38 Unable to open stream for '@/v1': No such file or directory",
    ],
    [
      "download",
      async (v) => openForDownload?.(definition(), v, await laboratory.context()),
      "38/38 Unable to open stream for '@/v1': No such file or directory",
    ],
    ["remove", async (v) => remove?.(definition(), v, 0, await laboratory.context()), "no error"],
    [
      "remove with flags",
      async (v) => remove?.(definition(), v, 2, await laboratory.context()),
      "8/18 unsupported flags (0x2) in function virStorageBackendVolDeleteLocal",
    ],
  ];
  test.each(rows)("%s", async (_, call, expected) => {
    expect((await errorOf(call(gone) ?? Promise.resolve())).replaceAll(images, "@")).toBe(expected);
  });

  test("is somebody's failure while its directory is being closed: none is left that nobody waits for", async () => {
    const lost: unknown[] = [];
    const collect = (reason: unknown) => lost.push(reason);
    process.on("unhandledRejection", collect);
    try {
      const context = await laboratory.context();
      let opened: Promise<unknown> = Promise.resolve();
      const host = hostWith(laboratory.host, (directory) => ({
        open: (...request) => {
          const opening = directory.open(...request);
          opened = opening;
          return opening;
        },
        // Is done only once the file was found missing.
        [Symbol.asyncDispose]: async () => {
          await opened.catch(() => {});
          await new Promise((resolve) => setImmediate(resolve));
          await directory.close();
        },
      }));
      const download = openForDownload?.(definition(), gone, { ...context, host });
      expect(await errorOf(download ?? Promise.resolve())).toContain("No such file or directory");
    } finally {
      process.off("unhandledRejection", collect);
    }
    expect(lost).toEqual([]);
  });

  test("with its whole directory", async () => {
    rmSync(images, { recursive: true });
    expect(await errorOf(refresh(gone))).toContain("50/18");
    expect(await errorOf(remove?.(definition(), gone, 0, await laboratory.context()) ?? Promise.resolve())).toBe(
      "no error",
    );
  });
});

describe("a look at a file that became", () => {
  const rows: [string, () => void, string][] = [
    ["a FIFO", () => execFileSync("mkfifo", [at("v")]), "1/18 internal error: Volume path '@/v' is a FIFO"],
    [
      "a socket",
      () => execFileSync("python3", ["-c", `import socket; socket.socket(socket.AF_UNIX).bind("${at("v")}")`]),
      "1/18 internal error: Volume path '@/v' is a socket",
    ],
    ["a device", () => symlinkSync("/dev/null", at("v")), "1/18 internal error: unexpected storage mode for '@/v'"],
    [
      "a symlink to a FIFO",
      () => {
        execFileSync("mkfifo", [at("fifo")]);
        symlinkSync("fifo", at("v"));
      },
      "1/18 internal error: unexpected type for file '@/v'",
    ],
    [
      "a symlink to nothing",
      () => symlinkSync("nowhere", at("v")),
      "38/18 cannot open volume '@/v': No such file or directory",
    ],
  ];
  test.each(rows)("%s", async (_, become, expected) => {
    const file = await make("v");
    rmSync(at("v"));
    become();
    expect(await errorOf(refresh(file))).toBe(expected.replace("@", images));
  });
});

describe("remove", () => {
  test("a directory must be empty; a ploop image is removed with all it has", async () => {
    const directory = await make("dd", { format: "dir" });
    writeFileSync(laboratory.path("images", "dd", "x"), "");
    const context = await laboratory.context();
    expect(await errorOf(remove?.(definition(), directory, 0, context) ?? Promise.resolve())).toBe(
      `38/18 cannot remove directory '${at("dd")}': Directory not empty`,
    );
    mkdirSync(laboratory.path("images", "dd", "deeper"));
    await remove?.(definition(), { ...directory, type: "ploop" }, 0, context);
    expect(existsSync(at("dd"))).toBe(false);
  });

  const removal = async (document: VolumeDocument) =>
    errorOf(remove?.(definition(), document, 0, await laboratory.context()) ?? Promise.resolve());

  test("a file that became a directory, which must be empty", async () => {
    const file = await make("v");
    rmSync(at("v"));
    mkdirSync(at("v"));
    writeFileSync(at("v", "inside"), "");
    expect(await removal(file)).toBe(`38/18 cannot unlink file '${at("v")}': Directory not empty`);
    rmSync(at("v", "inside"));
    expect(await removal(file)).toBe("no error");
    expect(existsSync(at("v"))).toBe(false);
  });

  test("a directory that became a file or a symlink to one, not to another directory", async () => {
    const directory = await make("v", { format: "dir" });
    const becomes = (change: () => void) => {
      rmSync(at("v"), { recursive: true, force: true });
      change();
    };
    becomes(() => writeFileSync(at("v"), ""));
    expect(await removal(directory)).toBe("no error");
    becomes(() => symlinkSync("nowhere", at("v")));
    expect(await removal(directory)).toBe("no error");
    becomes(() => symlinkSync(laboratory.root, at("v")));
    expect(await removal(directory)).toBe(`38/18 cannot remove directory '${at("v")}': Not a directory`);
  });
});

describe("resize", () => {
  const to = async (document: VolumeDocument, capacityBytes: bigint, flags = 0) =>
    resize?.(definition(), document, capacityBytes, flags, await laboratory.context());

  test("raw: longer, shorter, allocated", async () => {
    const document = await make("v", { allocationBytes: 0n });
    await to(document, 3_000_001n);
    expect(statSync(at("v"))).toMatchObject({ size: 3_000_001, blocks: 0 });
    await to({ ...document, capacityBytes: 3_000_001n }, 8_192n, 4);
    expect(statSync(at("v")).size).toBe(8_192);
    await to(document, 65_536n, 1);
    expect(statSync(at("v"))).toMatchObject({ size: 65_536, blocks: 128 });
  });

  test("raw: what was written to the file since it was last seen is not cut off unless that is asked for", async () => {
    const document = await make("v");
    writeFileSync(at("v"), "x".repeat(4 * Number(MiB)));
    for (const flags of [0, 1]) {
      expect(await errorOf(to(document, 2n * MiB, flags))).toBe(
        "8/18 invalid argument: Can't shrink capacity below current capacity unless shrink flag explicitly specified",
      );
      expect(statSync(at("v")).size).toBe(4 * Number(MiB));
    }
    await to(document, 2n * MiB, 4);
    expect(statSync(at("v")).size).toBe(2 * Number(MiB));
  });

  test("qcow2: in sectors, down only with --shrink", async () => {
    const document = await make("v", { format: "qcow2", compat: "1.1" });
    await to(document, 4_194_305n);
    const grown = await refresh(document);
    expect(grown.capacityBytes).toBe(4_194_816n);
    await to(grown, MiB, 4);
    expect((await refresh(document)).capacityBytes).toBe(MiB);
  });

  test.each(["raw", "qcow2"])("a symlink put in the place of a %s volume is not followed", async (format) => {
    const document = await make("v", { format });
    const precious = laboratory.path("precious");
    renameSync(at("v"), precious);
    const { size } = statSync(precious);
    symlinkSync(precious, at("v"));
    const resized = async (context: object): Promise<void> =>
      resize?.(definition(), document, 4n * MiB, 0, { ...(await laboratory.context()), ...context });
    expect(await errorOf(resized({}))).toContain("Too many levels of symbolic links");
    expect(statSync(precious).size).toBe(size);
    expect(await errorOf(resized({ followsSymlink: true }))).toBe("no error");
  });

  test("an overlay whose backing file has a relative name", async () => {
    await make("base", { format: "qcow2" });
    const overlay = await make("overlay", { format: "qcow2", backing: { path: "base", format: "qcow2" } });
    await to(overlay, 2n * MiB);
    expect((await refresh(overlay)).capacityBytes).toBe(2n * MiB);
  });

  test("an ISO image into which somebody wrote another image's header: the whole file is what has a size", async () => {
    qemuImg("create", "-q", "-f", "qcow2", at("v"), "1M");
    writeAt("v", 32_769, "CD001");
    const document = await refresh(as("v", "iso"), true);
    expect(document).toMatchObject({ target: { format: "iso" }, backingStore: null });
    const header = readFileSync(at("v")).subarray(0, 65_536);
    await to(document, 2n * MiB + 1n);
    expect(statSync(at("v")).size).toBe(2 * Number(MiB) + 1);
    expect(readFileSync(at("v")).subarray(0, 65_536).equals(header)).toBe(true);
    expect(await errorOf(to(document, 3n * MiB, 1))).toMatch(/^84\/18 .* only supported for raw type volume$/);
  });

  test("an image that became another one is not resized as that", async () => {
    const document = await make("v", { format: "qed" });
    qemuImg("create", "-q", "-f", "qcow2", at("v"), "1M");
    expect(await errorOf(to(document, 2n * MiB))).toContain("Image not in QED format");
  });

  test("what a format cannot do is refused", async () => {
    const qcow2 = await make("a", { format: "qcow2" });
    expect(await errorOf(to(qcow2, 2n * MiB, 1))).toBe(
      "84/18 Operation not supported: preallocate is only supported for raw type volume",
    );
    const vmdk = await make("b", { format: "vmdk" });
    expect((await errorOf(to(vmdk, 2n * MiB))).replaceAll(images, "@")).toBe(
      "1/0 internal error: Child process (/usr/bin/qemu-img resize @/b 2097152) unexpected exit status 1: " +
        "qemu-img: Image format driver does not support resize\n",
    );
  });
});

describe("wipe", () => {
  const wiped = async (document: VolumeDocument, algorithm: number) =>
    wipe?.(definition(), document, algorithm, await laboratory.context());

  test("zero: a full file keeps its blocks and its size, with progress", async () => {
    const document = await make("v", { capacityBytes: 1_000_001n });
    writeFileSync(at("v"), "x".repeat(1_000_001));
    const { blocks } = statSync(at("v"));
    await wiped(document, 0);
    expect(statSync(at("v"))).toMatchObject({ size: 1_000_001, blocks });
    expect(readFileSync(at("v")).every((byte) => byte === 0)).toBe(true);
    expect(laboratory.progress.at(-1)).toEqual([1_000_001n, 1_000_001n]);
    expect(laboratory.remarks).toEqual([]);
  });

  test.each([0, 2, 8])(
    "what was cut off since it was last seen does not come back: algorithm %i",
    async (algorithm) => {
      const document = await make("v", { capacityBytes: MiB });
      truncateSync(at("v"), 1_000);
      await wiped(document, algorithm);
      expect(statSync(at("v")).size).toBe(1_000);
    },
  );

  test("zero: what a file has got since it was last seen is wiped as well", async () => {
    const document = await make("v", { capacityBytes: 4_096n });
    writeFileSync(at("v"), "x".repeat(100_000));
    await wiped(document, 0);
    expect(readFileSync(at("v")).every((byte) => byte === 0)).toBe(true);
    expect(statSync(at("v")).size).toBe(100_000);
  });

  test("zero: a file with holes has nothing but holes afterwards", async () => {
    const document = await make("v", { allocationBytes: 0n });
    writeFileSync(at("v"), "data");
    truncateSync(at("v"), Number(MiB));
    await wiped(document, 0);
    expect(statSync(at("v"))).toMatchObject({ size: Number(MiB), blocks: 0 });
  });

  test("an image is raw afterwards, which a probe finds out", async () => {
    const document = await make("v", { format: "qcow2" });
    await wiped(document, 0);
    expect((await refresh(document, true)).target).toMatchObject({
      format: "raw",
      clusterSizeBytes: 0n,
    });
  });

  test("a pattern of scrub", async () => {
    const document = await make("v", { capacityBytes: 65_536n });
    writeFileSync(at("v"), "x".repeat(65_536));
    await wiped(document, 8);
    const content = readFileSync(at("v"));
    expect(content).toHaveLength(65_536);
    expect(content.includes("xxxx")).toBe(false);
  });

  test("of scrub, that the file has its size again is on the disk before its record goes", async () => {
    const document = await make("v", { capacityBytes: 1_000n });
    const steps: string[] = [];
    const context = await laboratory.context();
    const host = hostWith(laboratory.host, (directory) => ({
      open: async (...request) => {
        const file = await directory.open(...request);
        return standIn(file, {
          truncate: (sizeBytes) => {
            steps.push(`truncate ${sizeBytes}`);
            return file.truncate(sizeBytes);
          },
          syncData: async () => void steps.push("syncData"),
        });
      },
    }));
    await wipe?.(definition(), document, 2, { ...context, host });
    expect(steps).toEqual(["truncate 1000", "syncData"]);
  });

  test("trim gives the blocks back", async () => {
    const document = await make("v", { capacityBytes: MiB });
    writeFileSync(at("v"), "x".repeat(Number(MiB)));
    await wiped(document, 9);
    expect(readFileSync(at("v")).equals(Buffer.alloc(Number(MiB)))).toBe(true);
    expect(statSync(at("v")).blocks).toBe(0);
  });

  test.each([0, 8, 9])("a volume without a byte is wiped by doing nothing: algorithm %i", async (algorithm) => {
    const document = await make("v", { capacityBytes: 0n });
    await wiped(document, algorithm);
    expect(statSync(at("v"))).toMatchObject({ size: 0, blocks: 0 });
  });

  test("a wipe that is given up ends", async () => {
    const document = await make("v", { capacityBytes: 64n * MiB });
    const context = await laboratory.context();
    const job = standIn(context.job, { progress: () => laboratory.abort() });
    const wiping = wipe?.(definition(), document, 0, { ...context, job });
    expect(await errorOf(wiping ?? Promise.resolve())).toMatch(/^78\/18 operation aborted: /);
  });
});

describe("the length to which a crash cuts a file back", () => {
  const upload = async (document: VolumeDocument, more: object = {}): Promise<void> => {
    const target = await openForUpload?.(definition(), document, { ...(await laboratory.context()), ...more });
    await target?.file.close();
  };
  const wiped = async (document: VolumeDocument, more: object = {}): Promise<void> => {
    const context = await laboratory.context();
    const job = standIn(context.job, { record: gone(context.job) });
    await wipe?.(definition(), document, 0, { ...context, job, ...more });
  };
  const resized = async (document: VolumeDocument): Promise<void> => {
    const context = await laboratory.context();
    const job = standIn(context.job, { record: gone(context.job) });
    await resize?.(definition(), document, 2n * MiB, 0, { ...context, job });
  };
  /** Records whose release nobody sees. */
  const gone =
    (job: Job): Job["record"] =>
    async (trace) => {
      const { keep } = await job.record(trace);
      return { release: async () => null, keep };
    };
  const lengths = () => [...laboratory.traces].map((trace) => (trace.kind === "content" ? trace.sizeBytes : "none"));
  const rows: [string, bigint | null, () => Promise<void>][] = [
    ["an upload", 5n, async () => upload(as("v", "raw"))],
    ["a wipe", 5n, async () => wiped(as("v", "raw"))],
    ["an upload to an image", 196_616n, async () => upload(await make("w", { format: "qcow2" }))],
    ["a resize of an image", null, async () => resized(await make("w", { format: "qcow2" }))],
    ["an upload to what a symlink leads to", null, async () => upload(as("link", "raw"), { followsSymlink: true })],
    ["a wipe of what a symlink leads to", null, async () => wiped(as("link", "raw"), { followsSymlink: true })],
    ["an upload to a device", null, async () => upload(as("v", "raw"), { host: ofDevices() })],
    ["an upload to a server", null, async () => upload(as("v", "raw"), { host: farHost() })],
    ["a wipe on a server", null, async () => wiped(as("v", "raw"), { host: farHost() })],
  ];
  const farHost = () => hostWith(laboratory.host, () => ({ host: standIn(laboratory.host, { home: "remote" }) }));
  const ofDevices = () =>
    hostWith(laboratory.host, (directory) => ({
      open: async (...request) => {
        const file = await directory.open(...request);
        return standIn(file, { facts: async () => ({ ...(await file.facts()), kind: "block" }) });
      },
    }));
  beforeEach(() => {
    writeFileSync(at("v"), "12345");
    symlinkSync("v", at("link"));
  });

  test.each(rows)("%s: %s", async (_what, expected, change) => {
    await change();
    expect(lengths()).toEqual([expected]);
  });
});

describe("refresh", () => {
  test("sees a longer file, another mode, and a backing file's times", async () => {
    await make("base", { format: "qcow2" });
    const overlay = await make("v", { format: "qcow2", backing: { path: at("base"), format: "qcow2" } });
    qemuImg("resize", "-q", at("base"), "2M");
    const again = await refresh(overlay);
    const before = overlay.backingStore?.timestamps?.modificationNs ?? 0n;
    expect(again?.backingStore?.timestamps?.modificationNs).toBeGreaterThan(before);
    expect(again?.target).toMatchObject({ format: "qcow2", compat: null, clusterSizeBytes: 0n });
  });

  test("an image that was overwritten by something else is as large as the file", async () => {
    const document = await make("v", { format: "qcow2" });
    writeFileSync(at("v"), "no image any more");
    expect((await refresh(document)).capacityBytes).toBe(17n);
  });

  test("follows the directory by its name, not the one that was there before", async () => {
    const document = await make("v");
    renameSync(images, laboratory.path("old"));
    expect(await errorOf(refresh(document) ?? Promise.resolve())).toContain("50/18");
  });
});
