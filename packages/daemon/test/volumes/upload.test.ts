import { execFileSync } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync, statfsSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byEffort } from "../../../../tests/support/effort.ts";
import { attachLoop, loopRequirements, mountLoop } from "../../../../tests/support/loop.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import { type File, HostError } from "../../dist/host/index.js";
import { type Job, QUICK_JOB } from "../../dist/jobs/job.js";
import { spaceForUpload, Upload } from "../../dist/volumes/upload.js";
import { scratchDirectory, testHosts } from "../host/support.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const RUNS = byEffort({ fast: 30, normal: 150, long: 1_000 });

const root = scratchDirectory();
const hosts = testHosts();
let counter = 0;

const newPath = (directory = root): string => `${directory}/v${counter++}`;
const data = (length: number, value = 0xda): Buffer => Buffer.alloc(length, value);
const zeros = (length: number): Buffer => Buffer.alloc(length);
const allocatedBytes = (path: string): number => statSync(path).blocks * 512;

interface Opened {
  readonly upload: Upload;
  /** What `ended` was called with. */
  readonly endings: (Error | null)[];
  /** Calls of the file that change it, in order. */
  readonly calls: string[];
}

interface Settings {
  readonly offsetBytes?: bigint;
  readonly lengthBytes?: bigint;
  readonly job?: Partial<Job>;
  readonly freeBytes?: () => Promise<bigint>;
  /** Called before each call that changes the file. */
  readonly before?: (call: string) => Promise<void> | void;
}

async function open(path: string, settings: Settings = {}): Promise<Opened> {
  const calls: string[] = [];
  const file = watched(await hosts.local.openFile(path, "read-write"), async (name, args) => {
    const call = [name, ...args.map((arg) => (arg instanceof Uint8Array ? arg.length : String(arg)))].join(" ");
    calls.push(call);
    await settings.before?.(call);
  });
  const endings: (Error | null)[] = [];
  const { offsetBytes = 0n, lengthBytes = 0n, job, freeBytes } = settings;
  const range = { offsetBytes, lengthBytes, ...(await spaceForUpload(file)) };
  const end = async (failure: Error | null): Promise<void> => void endings.push(failure);
  const upload = new Upload(file, range, {
    job: { ...QUICK_JOB, ...job },
    end,
    ...(freeBytes === undefined ? {} : { freeBytes }),
  });
  return { upload, endings, calls };
}

const WATCHED = ["write", "zero", "truncate", "syncData", "close"];

/** The same file; `before` sees each call that changes it and may fail it. */
function watched(file: File, before: (name: string, args: readonly unknown[]) => Promise<void>): File {
  return new Proxy(file, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return async (...args: readonly unknown[]): Promise<unknown> => {
        if (WATCHED.includes(String(name))) await before(String(name), args.slice(0, 2));
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
}

/** Uploads and gives the file's content. */
async function uploaded(path: string, parts: readonly (Uint8Array | bigint)[], settings: Settings = {}) {
  const opened = await open(path, settings);
  for (const part of parts) await (typeof part === "bigint" ? opened.upload.hole(part) : opened.upload.write(part));
  await opened.upload.finish();
  expect(opened.endings).toEqual([null]);
  return { ...opened, content: readFileSync(path) };
}

function sparseFile(sizeBytes: number): string {
  const path = newPath();
  writeFileSync(path, "");
  truncateSync(path, sizeBytes);
  return path;
}

function fullFile(sizeBytes: number, value = 0x0f): string {
  const path = newPath();
  writeFileSync(path, data(sizeBytes, value));
  const descriptor = openSync(path, "r+");
  execFileSync("sync", [path]);
  closeSync(descriptor);
  return path;
}

describe("zeros of an upload", () => {
  it("stay holes in a volume that was created sparse", async () => {
    const path = sparseFile(64 * MIB);
    const { content } = await uploaded(path, [data(MIB), zeros(32 * MIB), data(MIB), zeros(30 * MIB)]);
    expect(content.equals(Buffer.concat([data(MIB), zeros(32 * MIB), data(MIB), zeros(30 * MIB)]))).toBe(true);
    expect(allocatedBytes(path)).toBeLessThanOrEqual(2 * MIB + 64 * KIB);
  });

  it("are punched out of old data of a sparse volume", async () => {
    const path = fullFile(4 * MIB);
    truncateSync(path, 16 * MIB);
    const { content } = await uploaded(path, [data(MIB), zeros(15 * MIB)]);
    expect(content.equals(Buffer.concat([data(MIB), zeros(15 * MIB)]))).toBe(true);
    expect(allocatedBytes(path)).toBeLessThanOrEqual(MIB + 64 * KIB);
  });

  it("are written in a volume that was preallocated, which keeps its blocks", async () => {
    const path = newPath();
    execFileSync("fallocate", ["--length", String(8 * MIB), path]);
    const { calls, content } = await uploaded(path, [data(MIB), zeros(7 * MIB)]);
    expect(content.equals(Buffer.concat([data(MIB), zeros(7 * MIB)]))).toBe(true);
    expect(allocatedBytes(path)).toBeGreaterThanOrEqual(8 * MIB);
    expect(calls.filter((call) => call.startsWith("zero"))).toEqual([]);
  });

  it("extend the file where they go beyond its end", async () => {
    const path = fullFile(10_000);
    const { content } = await uploaded(path, [data(20_000), zeros(MIB + 1)]);
    expect(content.equals(Buffer.concat([data(20_000), zeros(MIB + 1)]))).toBe(true);
    expect(allocatedBytes(path)).toBeLessThanOrEqual(64 * KIB);
  });

  it("never shorten it, even where it grew meanwhile", async () => {
    const path = sparseFile(100);
    const { upload } = await open(path);
    await upload.write(zeros(MIB));
    writeFileSync(path, data(4 * MIB));
    await upload.finish();
    const content = readFileSync(path);
    expect(content.length).toBe(4 * MIB);
    expect(content.equals(Buffer.concat([zeros(MIB), data(3 * MIB)]))).toBe(true);
  });

  it("that follow each other are one step, however many packets they are", async () => {
    const path = sparseFile(64 * MIB);
    const packet = zeros(262_120);
    const { calls } = await uploaded(path, [data(4096), ...Array.from({ length: 200 }, () => packet), data(4096)]);
    expect(calls.filter((call) => call.startsWith("zero"))).toHaveLength(1);
  });

  it("do not cut data into pieces where they are few", async () => {
    const piece = Buffer.concat([data(32 * KIB), zeros(32 * KIB)]);
    const { calls } = await uploaded(
      sparseFile(8 * MIB),
      Array.from({ length: 64 }, () => piece),
    );
    expect(calls.filter((call) => call.startsWith("write")).length).toBeLessThan(12);
    expect(calls.filter((call) => call.startsWith("zero"))).toEqual([]);
  });

  const unavailable = missing(loopRequirements("ext4"));
  it("are zeros on a block device, at its end too", async (context) => {
    if (unavailable !== null) return context.skip(unavailable);
    using loop = attachLoop(8 * MIB);
    writeFileSync(loop.device, data(8 * MIB));
    const parts = [data(1000, 1), zeros(4 * MIB), data(1000, 2), zeros(4 * MIB - 2000)];
    const opened = await open(loop.device);
    for (const part of parts) await opened.upload.write(part);
    await opened.upload.finish();
    expect(readFileSync(loop.device).equals(Buffer.concat(parts))).toBe(true);
    const further = await open(loop.device, { offsetBytes: BigInt(8 * MIB - 4096) });
    await further.upload.write(zeros(MIB));
    await expect(further.upload.finish()).rejects.toThrow("cannot write to stream: No space left on device");
  });
});

describe("any upload", () => {
  const part = fc.oneof(
    fc.record({
      kind: fc.constant("data" as const),
      length: fc.integer({ min: 1, max: 300 * KIB }),
      fill: fc.nat(255),
    }),
    fc.record({ kind: fc.constant("zeros" as const), length: fc.integer({ min: 1, max: 600 * KIB }) }),
    fc.record({ kind: fc.constant("hole" as const), length: fc.integer({ min: 1, max: 600 * KIB }) }),
  );
  const places = ["the test's file system", "xfs", "tmpfs"] as const;

  it.each(places)("gives exactly what came, on %s", { timeout: 300_000 }, async (place) => {
    using directory = place === "the test's file system" ? null : mounted(place);
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 12 }),
        fc.integer({ min: 0, max: 2 * MIB }),
        fc.integer({ min: 0, max: MIB }),
        fc.constantFrom("sparse", "preallocated", "half"),
        async (parts, sizeBytes, offsetBytes, before) => {
          const path = newPath(directory?.mountPoint);
          writeFileSync(path, data(before === "sparse" ? 0 : before === "half" ? sizeBytes >> 1 : sizeBytes, 0x0f));
          truncateSync(path, sizeBytes);
          const pieces = parts.map((each) =>
            each.kind === "hole" ? BigInt(each.length) : patterned(each.length, each.kind === "data" ? each.fill : 0),
          );
          const end = offsetBytes + parts.reduce((sum, { length }) => sum + length, 0);
          const grown = parts.length > 0 ? Math.max(sizeBytes, end) : sizeBytes;
          const expected = Buffer.concat([readFileSync(path), zeros(grown - sizeBytes)]);
          let position = offsetBytes;
          for (const [index, { length }] of parts.entries()) {
            const piece = pieces[index];
            expected.fill(0, position, position + length);
            if (piece instanceof Uint8Array) expected.set(piece, position);
            position += length;
          }
          const { content } = await uploaded(path, pieces, { offsetBytes: BigInt(offsetBytes) });
          expect(content.length).toBe(expected.length);
          expect(content.equals(expected)).toBe(true);
          rmSync(path);
        },
      ),
      { numRuns: RUNS },
    );
  });
});

/** Data with some zeros in it, at odd places. */
function patterned(length: number, fill: number): Buffer {
  const bytes = data(length, fill);
  if (fill % 3 === 1) bytes.fill(0, length >> 2, length >> 1);
  return bytes;
}

function mounted(type: "xfs" | "tmpfs"): { readonly mountPoint: string } & Disposable {
  if (type === "xfs") return mountLoop("xfs");
  const mountPoint = newPath();
  execFileSync("mkdir", [mountPoint]);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m", "none", mountPoint]);
  return { mountPoint, [Symbol.dispose]: () => void execFileSync("umount", [mountPoint]) };
}

describe("small packets", () => {
  it("are joined to writes of a megabyte", async () => {
    const bytes = Buffer.from(Array.from({ length: 4 * MIB }, (_, index) => 1 + (index % 251)));
    const pieces: Uint8Array[] = [];
    for (let start = 0; start < bytes.length; start += 9_999) pieces.push(bytes.subarray(start, start + 9_999));
    const { calls, content } = await uploaded(sparseFile(0), pieces);
    expect(content.equals(bytes)).toBe(true);
    expect(calls.filter((call) => call.startsWith("write")).length).toBeLessThan(12);
  });

  it("are in the file soon, although nothing follows", async () => {
    const path = sparseFile(0);
    const { upload } = await open(path);
    await upload.write(data(10));
    await expect.poll(() => statSync(path).size).toBe(10);
    expect(upload.heldBytes).toBe(0);
    await upload.finish();
  });
});

describe("an upload that is faster than its storage", () => {
  it("waits, and holds three megabytes at most", async () => {
    let letGo = (): void => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const { upload, calls } = await open(sparseFile(0), {
      before: (call) => (call.startsWith("write") ? held : undefined),
    });
    let taken = 0;
    const done = (async () => {
      for (; taken < 64; taken++) await upload.write(data(MIB / 2));
    })();
    await sleep(100);
    expect(taken).toBeLessThan(8);
    expect(upload.heldBytes).toBeLessThanOrEqual(3 * MIB);
    expect(calls.filter((call) => call.startsWith("write"))).toHaveLength(1);
    letGo();
    await done;
    await upload.finish();
  });
});

describe("a failure", () => {
  const FULL = "cannot write to stream: No space left on device";
  const failing =
    (what: string) =>
    (call: string): void => {
      if (call.startsWith(what)) throw new HostError("ENOSPC", 28, "full");
    };

  it.each([
    ["write", [data(100)]],
    ["zero", [zeros(MIB), data(1)]],
    ["truncate", [zeros(MIB)]],
    ["syncData", [data(100)]],
    ["close", [data(100)]],
  ])("of %s is what the upload finishes with", async (what, parts) => {
    const { upload, endings } = await open(sparseFile(10), { before: failing(what) });
    for (const part of parts) await upload.write(part);
    await expect(upload.finish()).rejects.toThrow(FULL);
    expect(endings.map(String)).toEqual([`LibvirtError: ${FULL}`]);
    await expect(upload.write(data(1))).rejects.toThrow(FULL);
  });

  it("for lack of space names the volume, what has no place, and what is free", async () => {
    const path = sparseFile(0);
    let isFull = false;
    const { upload } = await open(path, {
      freeBytes: async () => 4_096n,
      before: (call) => {
        if (isFull && call.startsWith("write")) throw new HostError("ENOSPC", 28, "full");
      },
    });
    await upload.write(data(3 * MIB));
    await expect.poll(() => statSync(path).size).toBe(3 * MIB);
    isFull = true;
    await upload.write(data(100));
    const text = `cannot write to stream for '${path}' (100 bytes needed, 4096 bytes free): No space left on device`;
    await expect(upload.finish()).rejects.toThrow(text);
  });

  it("for lack of space that only the flush tells says what all of the upload needs", async () => {
    const path = sparseFile(0);
    const { upload } = await open(path, { freeBytes: async () => 0n, before: failing("syncData") });
    await upload.write(data(5 * MIB));
    await expect(upload.finish()).rejects.toThrow(`'${path}' (${5 * MIB} bytes needed, 0 bytes free)`);
  });

  it("is told at once, and nothing behind it is written", async () => {
    const path = sparseFile(0);
    let writes = 0;
    const { upload } = await open(path, {
      before: (call) => {
        if (call.startsWith("write") && ++writes === 2) throw new HostError("EIO", 5, "broken");
      },
    });
    const told: string[] = [];
    upload.listen({ failed: (error) => told.push(error.message), moved: () => {} });
    const failed = (async () => {
      for (let count = 0; count < 16; count++) await upload.write(data(MIB));
    })();
    await expect(failed).rejects.toThrow("cannot write to stream: Input/output error");
    await upload.abort();
    expect(told).toEqual(["cannot write to stream: Input/output error"]);
    expect(writes).toBe(2);
    expect(statSync(path).size).toBe(0);
  });

  it("of a full file system gives the space back, and the file its old length", async (context) => {
    const unavailable = missing(loopRequirements("ext4"));
    if (unavailable !== null) return context.skip(unavailable);
    using mount = mountLoop("ext4", 16 * MIB);
    const path = `${mount.mountPoint}/v`;
    writeFileSync(path, data(MIB, 1));
    const { bavail, bsize } = statfsSync(mount.mountPoint);
    const { upload, endings } = await open(path);
    const failed = (async () => {
      for (let count = 0; count < 32; count++) await upload.write(data(MIB));
      await upload.finish();
    })();
    await expect(failed).rejects.toThrow(FULL);
    await upload.abort();
    expect(endings).toHaveLength(1);
    expect(readFileSync(path).equals(data(MIB))).toBe(true);
    expect(statfsSync(mount.mountPoint).bavail * bsize).toBeGreaterThan(bavail * bsize - 2 * MIB);
  });
});

describe("the end of an upload", () => {
  it("comes after a flush", async () => {
    const { calls } = await uploaded(sparseFile(0), [data(10)]);
    expect(calls).toEqual(["write 0 10", "syncData", "close"]);
  });

  it("that cuts the file back comes after a flush", async () => {
    const { upload, calls } = await open(sparseFile(5));
    await upload.write(data(10));
    await upload.abort();
    expect(calls).toEqual(["write 0 10", "truncate 5", "syncData", "close"]);
  });

  it("by abort keeps what came over the old content and nothing behind it, and says why", async () => {
    const path = sparseFile(5);
    const { upload, endings } = await open(path);
    await upload.write(data(10));
    await upload.write(zeros(MIB));
    await upload.abort(new Error("nobody is there"));
    expect(endings.map(String)).toEqual(["Error: nobody is there"]);
    expect(readFileSync(path).equals(data(5))).toBe(true);
  });

  it.each([
    ["by abort", async (upload: Upload) => upload.abort()],
    ["by failure", async (upload: Upload) => expect(upload.finish()).rejects.toThrow("enough")],
  ])("%s within the old content leaves the length alone", async (_, end) => {
    const cancel = new AbortController();
    const path = sparseFile(MIB);
    const { upload, calls } = await open(path, { job: { signal: cancel.signal } });
    await upload.write(data(10));
    cancel.abort(new Error("enough"));
    await end(upload);
    expect(statSync(path).size).toBe(MIB);
    expect(calls.filter((call) => call.startsWith("truncate"))).toEqual([]);
  });
});

describe("the job of an upload", () => {
  it("hears how far it is, and ends it", async () => {
    const cancel = new AbortController();
    const progress: string[] = [];
    const job = { signal: cancel.signal, progress: (done: bigint, total: bigint) => progress.push(`${done}/${total}`) };
    const { upload, endings } = await open(sparseFile(4 * MIB), { job, offsetBytes: BigInt(MIB) });
    const told: string[] = [];
    upload.listen({ failed: (error) => told.push(error.message), moved: () => {} });
    await upload.write(data(MIB));
    await expect.poll(() => progress.at(-1)).toBe(`${MIB}/${3 * MIB}`);
    cancel.abort(new Error("enough"));
    expect(told).toHaveLength(1);
    expect(told[0]).toContain("enough");
    await expect(upload.write(data(1))).rejects.toThrow("enough");
    await expect(upload.finish()).rejects.toThrow("enough");
    expect(endings).toHaveLength(1);
  });

  it("ends with what came, however much its volume takes", async () => {
    const progress: string[] = [];
    const job = { progress: (done: bigint, total: bigint) => progress.push(`${done}/${total}`) };
    const { upload } = await open(sparseFile(4 * MIB), { job, offsetBytes: 10n });
    await upload.write(data(100));
    await upload.write(Buffer.alloc(50));
    await upload.finish();
    expect(progress.at(-1)).toBe("150/150");
  });

  it("sets its pace", async () => {
    let paid = 0n;
    const pace = async (bytes: bigint): Promise<void> => {
      paid += bytes;
      await sleep(20);
    };
    const startedAt = performance.now();
    await uploaded(
      sparseFile(0),
      Array.from({ length: 10 }, () => data(128 * KIB)),
      { job: { bandwidthBytesPerSecond: 1n, pace } },
    );
    expect(paid).toBe(BigInt(10 * 128 * KIB));
    expect(performance.now() - startedAt).toBeGreaterThan(190);
  });
});
