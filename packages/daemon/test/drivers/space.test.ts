import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statfsSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loopRequirements, mountLoop } from "../../../../tests/support/loop.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import { directoryDriver } from "../../dist/drivers/directory.js";
import type { VolumeContext } from "../../dist/drivers/driver.js";
import { ExpectedSpace } from "../../dist/drivers/expected-space.js";
import { allocateSpace } from "../../dist/drivers/shared/allocate-space.js";
import { tellingRoom, withRoom } from "../../dist/drivers/shared/room.js";
import { type Directory, type File, HostError } from "../../dist/host/index.js";
import { JournalFailure, QUICK_JOB } from "../../dist/jobs/job.js";
import { pool, volume } from "./documents.js";
import { create, errorOf, Laboratory } from "./laboratory.js";
import { hostWith } from "./stand-in.js";

/** Space that is being allocated: what others may count on meanwhile, and what is left of it when it is called off. */

const MiB = 1_048_576n;
const ALLOCATE = 1;
const PREALLOCATE_METADATA = 1;
const WIPE_NNSA = 1;
const { fill, resize, wipe } = directoryDriver.volumes ?? {};

let laboratory: Laboratory;
beforeEach(() => {
  laboratory = new Laboratory();
});
afterEach(() => laboratory.close());

/** Keeps each value that is expected of its file systems. */
class WatchedSpace extends ExpectedSpace {
  readonly seen: bigint[] = [];
  override change(fileSystem: string, byBytes: bigint): void {
    super.change(fileSystem, byBytes);
    this.seen.push(this.of(fileSystem));
  }
}

describe("what is being allocated is expected of the file system less and less", () => {
  const document = (name: string, capacityBytes: bigint, allocationBytes = capacityBytes) => {
    const made = volume(name, { capacityBytes, allocationBytes });
    const path = laboratory.path(name);
    return { ...made, key: path, target: { ...made.target, path } };
  };
  const definition = () => pool("dir", laboratory.root);

  test.each([
    ["a creation", async (context: VolumeContext) => fill?.(definition(), document("v", 64n * MiB), null, 0, context)],
    [
      "a copy that is to have its space",
      async (context: VolumeContext) => {
        writeFileSync(laboratory.path("source"), "");
        const source = { pool: definition(), document: document("source", 64n * MiB) };
        return fill?.(definition(), document("v", 64n * MiB), source, 0, context);
      },
    ],
    [
      "a resize",
      async (context: VolumeContext) => {
        writeFileSync(laboratory.path("v"), "");
        return resize?.(definition(), document("v", 0n), 64n * MiB, ALLOCATE, context);
      },
    ],
  ])("%s", async (name, work) => {
    const expectedSpace = new WatchedSpace();
    await work({ ...(await laboratory.context()), sharesBlocks: false, expectedSpace });
    expect(expectedSpace.seen[0]).toBe(64n * MiB);
    expect(expectedSpace.seen.at(-1)).toBe(0n);
    const between = expectedSpace.seen.filter((bytes) => bytes > 0n && bytes < 64n * MiB);
    expect(between.length).toBeGreaterThan(1);
    expect(between).toEqual(between.toSorted((one, other) => (one > other ? -1 : 1)));
    if (name.startsWith("a copy")) return;
    // And so its client sees that it moves.
    expect(laboratory.progress.filter(([done]) => done < 64n * MiB).length).toBeGreaterThan(1);
    expect(laboratory.progress.at(-1)).toEqual([64n * MiB, 64n * MiB]);
  });
});

test("what another one has written while this one looked for room counts", async () => {
  const expectedSpace = new ExpectedSpace();
  expectedSpace.change("1", 60n * MiB);
  const directory = {
    fileSystem: async () => "1",
    keptBytes: async () => 0n,
    space: async () => {
      const space = { capacityBytes: 100n * MiB, freeBytes: 100n * MiB, usableBytes: 100n * MiB };
      // Its last bytes come after the look, and its end before anybody asks for what is expected.
      expectedSpace.change("1", -60n * MiB);
      return space;
    },
  } as unknown as Directory;
  const request = { directory, bytes: 60n * MiB, detail: "cannot allocate" };
  const context = { ...(await laboratory.context()), expectedSpace };
  await expect(withRoom(request, context, async () => {})).rejects.toThrow(
    `(${60n * MiB} bytes needed, ${40n * MiB} bytes free)`,
  );
});

test("what is expected of one subvolume of a btrfs counts in the others", async (context) => {
  const unavailable = missing({ ...loopRequirements("btrfs"), programs: ["mkfs.btrfs", "btrfs", "losetup", "mount"] });
  if (unavailable !== null) return context.skip(unavailable);
  const { mountPoint } = laboratory.keep(mountLoop("btrfs"));
  const operation = await laboratory.context();
  const open = (name: string): Promise<Directory> => {
    execFileSync("btrfs", ["subvolume", "create", join(mountPoint, name)], { stdio: "pipe" });
    return laboratory.host.openDirectory(join(mountPoint, name));
  };
  await using one = await open("one");
  await using other = await open("other");
  expect((await one.facts()).device).not.toBe((await other.facts()).device);
  const bytes = ((await one.space()).usableBytes * 6n) / 10n;
  await withRoom({ directory: one, bytes, detail: "the first" }, operation, async () => {
    const second = withRoom({ directory: other, bytes, detail: "the second" }, operation, async () => "it began");
    await expect(second).rejects.toThrow(`the second (${bytes} bytes needed`);
  });
  const alone = withRoom({ directory: other, bytes, detail: "alone" }, operation, async () => "it began");
  expect(await alone).toBe("it began");
});

describe("a lack of room", () => {
  const needs = (programs: string[]) => {
    const { programs: mounting = [], ...others } = loopRequirements("ext4");
    return missing({ ...others, programs: [...mounting, "fallocate", ...programs] });
  };
  const LEFT = 4 * Number(MiB);
  /** The filler has tables as well. */
  const aboutLeft: number = expect.closeTo(LEFT, -4);
  /** ext4 calls more free than it gives. */
  const fillable = (mountPoint: string): number => {
    const device = basename(execFileSync("findmnt", ["-n", "-o", "SOURCE", mountPoint], { encoding: "utf8" }).trim());
    const clusters = Number(readFileSync(`/sys/fs/ext4/${device}/reserved_clusters`, "latin1"));
    expect(clusters).toBeGreaterThan(0);
    const { bfree, bsize } = statfsSync(mountPoint);
    return bfree * bsize - clusters * bsize;
  };
  /** A file system of which all but this is taken. */
  const nearlyFull = (leftBytes: number, before: (mountPoint: string) => void = () => {}): string => {
    const { mountPoint } = laboratory.keep(mountLoop("ext4", 128 * Number(MiB)));
    before(mountPoint);
    execFileSync("sync", ["--file-system", mountPoint]);
    execFileSync("fallocate", ["--length", `${fillable(mountPoint) - leftBytes}`, join(mountPoint, "filler")]);
    return mountPoint;
  };
  const wanted = volume("v", { format: "qcow2", capacityBytes: 20n * MiB });
  const pairs = (error: string) =>
    [...error.matchAll(/\((\d+) bytes needed, (\d+) bytes free\)/g)].map((pair) => pair.slice(1).map(Number));

  test("of an image is told with more bytes needed than are free: a qcow2 that is preallocated in full", async (context) => {
    const unavailable = needs([]);
    if (unavailable !== null) return context.skip(unavailable);
    const mountPoint = nearlyFull(15 * Number(MiB));
    const operation = await laboratory.context();
    let grown = 0;
    const growing = () => void grown++;
    const flags = { flags: PREALLOCATE_METADATA };
    const made = create(directoryDriver, pool("dir", mountPoint), wanted, { ...operation, growing }, flags);
    const error = await errorOf(made);
    expect(error).toContain(`38/18 cannot create image '${mountPoint}/v' (`);
    expect(pairs(error)).toHaveLength(1);
    const [needed = 0, free = 0] = pairs(error)[0] ?? [];
    expect(needed).toBeGreaterThan(20 * Number(MiB));
    expect(free).toBeLessThan(16 * Number(MiB));
    expect(free).toBeGreaterThan(14 * Number(MiB));
    expect(readdirSync(mountPoint).sort()).toEqual(["filler", "lost+found"]);
  });

  /** A clone of 20 MiB of data, as qcow2. */
  const clone = (path: string, operation: VolumeContext): Promise<VolumeDocument> => {
    const { target, ...rest } = volume("source", { capacityBytes: 20n * MiB });
    const source = { ...rest, key: join(path, "source"), target: { ...target, path: join(path, "source") } };
    return create(directoryDriver, pool("dir", path), wanted, operation, { source });
  };
  const content = Buffer.alloc(20 * Number(MiB), 7);

  test("of a file without content is told with what its entry needs", async () => {
    const space = async () => ({ capacityBytes: 100n * MiB, freeBytes: 0n, usableBytes: 0n });
    const createWhole = async (): Promise<never> => {
      throw new HostError("ENOSPC", 28, "full");
    };
    const operation = await laboratory.context();
    const host = hostWith(operation.host, () => ({ space, createWhole }));
    const empty = volume("v", { allocationBytes: 0n });
    const error = await errorOf(create(directoryDriver, pool("dir", laboratory.root), empty, { ...operation, host }));
    expect(error).toContain("No space left on device");
    expect(pairs(error)).toEqual([[4_096, 0]]);
  });

  test("of an image is told with what all of a clone needs, before it is begun", async () => {
    writeFileSync(laboratory.path("source"), content);
    const operation = await laboratory.context();
    const space = async () => ({ capacityBytes: 100n * MiB, freeBytes: MiB, usableBytes: MiB / 2n });
    const keptBytes = async () => 0n;
    const error = await errorOf(
      clone(laboratory.root, { ...operation, host: hostWith(operation.host, () => ({ space, keptBytes })) }),
    );
    expect(error).toContain("No space left on device");
    expect(pairs(error)).toEqual([[20 * Number(MiB), Number(MiB) / 2]]);
  });

  test("of an image is told once, with what all of a clone needs, while qemu-img converts", async (context) => {
    const unavailable = needs(["qemu-img"]);
    if (unavailable !== null) return context.skip(unavailable);
    const mountPoint = nearlyFull(LEFT, (path) => writeFileSync(join(path, "source"), content));
    const error = await errorOf(clone(mountPoint, await laboratory.context()));
    expect(error).toContain("No space left on device");
    // What was free when it began, and not what it left of that.
    expect(pairs(error)).toEqual([[20 * Number(MiB), aboutLeft]]);
    expect(readdirSync(mountPoint).sort()).toEqual(["filler", "lost+found", "source"]);
  });

  /** Of a volume that is there. */
  const there = (path: string, wanted: Parameters<typeof volume>[1]): VolumeDocument => {
    const { target, ...rest } = volume("v", wanted);
    return { ...rest, key: join(path, "v"), target: { ...target, path: join(path, "v") } };
  };

  test("that scrub meets in the holes of a volume is told with what all of them need", async (context) => {
    const unavailable = needs(["scrub"]);
    if (unavailable !== null) return context.skip(unavailable);
    const mountPoint = nearlyFull(LEFT, (path) => {
      writeFileSync(join(path, "v"), Buffer.alloc(Number(MiB), 1));
      truncateSync(join(path, "v"), 20 * Number(MiB));
    });
    const document = there(mountPoint, { capacityBytes: 20n * MiB });
    const wiping = wipe?.(pool("dir", mountPoint), document, WIPE_NNSA, await laboratory.context());
    const error = await errorOf(wiping ?? Promise.resolve());
    expect(error).toMatch(/^1\/0 .*scrub.*No space left on device/s);
    expect(pairs(error)).toEqual([[19 * Number(MiB), aboutLeft]]);
  });

  test("that qemu-img meets in a longer image is told with what its table needs", async (context) => {
    const unavailable = needs(["qemu-img"]);
    if (unavailable !== null) return context.skip(unavailable);
    const mountPoint = nearlyFull(LEFT, (path) => {
      execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", join(path, "v"), "1M"]);
    });
    const document = there(mountPoint, { format: "qcow2", capacityBytes: MiB });
    // 8 bytes for each 512 MiB.
    const resizing = resize?.(pool("dir", mountPoint), document, 512n * MiB * MiB, 0, await laboratory.context());
    const error = await errorOf(resizing ?? Promise.resolve());
    expect(error).toMatch(/^1\/0 .*qemu-img.*No space left on device/s);
    expect(pairs(error)).toEqual([[8 * Number(MiB), aboutLeft]]);
  });

  const aMiB = { capacityBytes: MiB, allocationBytes: MiB };
  test.for<[string, Parameters<typeof volume>[1]]>([
    ["a sparse volume", { ...aMiB, allocationBytes: 0n }],
    ["an allocated volume", aMiB],
    ["an image by qemu-img", { format: "vmdk", ...aMiB }],
    ["a directory", { format: "dir", ...aMiB }],
  ])("of inodes is told as that: %s", async ([, wantedVolume], context) => {
    const unavailable = needs([]);
    if (unavailable !== null) return context.skip(unavailable);
    const { mountPoint } = laboratory.keep(mountLoop("ext4", 32 * Number(MiB), ["-N", "32"]));
    for (let left = statfsSync(mountPoint).ffree; left > 0; left--) writeFileSync(join(mountPoint, `${left}`), "");
    const { bfree, bsize } = statfsSync(mountPoint);
    expect(bfree * bsize).toBeGreaterThan(Number(MiB));
    const operation = await laboratory.context();
    const error = await errorOf(create(directoryDriver, pool("dir", mountPoint), volume("v", wantedVolume), operation));
    expect(error).toMatch(/\(\d+ bytes and an inode needed, \d+ bytes and no inode free\): No space left on device$/);
    expect(laboratory.traces.size).toBe(0);
  });

  test.each([
    ["a program that failed over something else", ErrorCode.INTERNAL_ERROR],
    ["anything else", ErrorCode.OPERATION_INVALID],
  ])("is not what %s is told as, however full it is", async (_, code) => {
    const space = async () => ({ capacityBytes: MiB, freeBytes: 0n, usableBytes: 0n });
    const failed = LibvirtError.of(code, ErrorDomain.STORAGE, "scrub: no such pattern");
    const request = { directory: { space } as unknown as Directory, bytes: MiB, detail: "cannot wipe" };
    await expect(tellingRoom(request, () => Promise.reject(failed))).rejects.toBe(failed);
  });
});

describe("an allocation that is called off", () => {
  test("has ended when whoever asked for it hears of that", async () => {
    const cancel = new AbortController();
    const events: string[] = [];
    const allocate = async (_offset: bigint, _length: bigint, options?: { readonly signal?: unknown }) => {
      expect(options?.signal).toBeUndefined();
      cancel.abort(new Error("enough"));
      await nextTurn();
      events.push("the step has ended");
    };
    const file = { path: "/v", allocate } as unknown as File;
    const range = { offsetBytes: 0n, lengthBytes: 64n * MiB };
    const allocated = allocateSpace(file, range, { ...QUICK_JOB, signal: cancel.signal }, () => {});
    await expect(allocated).rejects.toMatchObject({ code: 78 });
    expect(events).toEqual(["the step has ended"]);
  });

  test("gives back what it took also where the file system writes zeros", async (context) => {
    const unavailable = missing(loopRequirements("ext2"));
    if (unavailable !== null) return context.skip(unavailable);
    const { mountPoint } = laboratory.keep(mountLoop("ext2"));
    const path = join(mountPoint, "v");
    writeFileSync(path, Buffer.alloc(4096, 1));
    const { blocks } = statSync(path);
    const made = volume("v", { capacityBytes: 4096n });
    const document = { ...made, key: path, target: { ...made.target, path } };
    const resizing = resize?.(pool("dir", mountPoint), document, 256n * MiB, ALLOCATE, await laboratory.context());
    const ended = expect(resizing).rejects.toMatchObject({ code: 78 });
    while (statSync(path).blocks * 512 < 8 * 1_048_576) await nextTurn();
    laboratory.abort();
    await ended;
    expect(statSync(path)).toMatchObject({ size: 4096, blocks });
    expect(laboratory.traces.size).toBe(0);
  });
});

test("a resize that was called off while it moved the end has its new size, and says so", async () => {
  const path = laboratory.path("v");
  writeFileSync(path, "");
  const made = volume("v", { capacityBytes: 0n });
  const document = { ...made, key: path, target: { ...made.target, path } };
  const context = await laboratory.context();
  const host = callingOffAt("truncate", context);
  await resize?.(pool("dir", laboratory.root), document, MiB, 0, { ...context, host });
  expect(statSync(path).size).toBe(Number(MiB));
});

/** A host whose files call the work off when this is asked of them. */
function callingOffAt(method: "truncate" | "sync", { host }: VolumeContext): VolumeContext["host"] {
  const through = <T extends object>(object: T, wrap: (name: PropertyKey, value: unknown) => unknown): T =>
    new Proxy(object, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? wrap(name, value.bind(target)) : value;
      },
    });
  const fileOf = (file: File): File =>
    through(file, (name, call) => {
      if (name !== method) return call;
      return (...args: unknown[]) => {
        laboratory.abort();
        return (call as (...args: unknown[]) => unknown)(...args);
      };
    });
  const directoryOf = (directory: Directory): Directory =>
    through(directory, (name, call) =>
      name === "open"
        ? async (...args: Parameters<Directory["open"]>) => fileOf(await (call as Directory["open"])(...args))
        : call,
    );
  return through(host, (name, call) =>
    name === "openDirectory"
      ? async (path: string) => directoryOf(await (call as VolumeContext["host"]["openDirectory"])(path))
      : call,
  );
}

test("a journal that has no room is not told as the pool's lack of room", async () => {
  await using directory = await laboratory.host.openDirectory(laboratory.root);
  const cause = new HostError("ENOSPC", 28, "no room");
  const failure = new JournalFailure("/var/lib/cistern/journal", "create volume 'v' of pool 'p'", cause);
  const request = { directory, bytes: 1_024n, detail: "cannot make it" };
  await expect(tellingRoom(request, () => Promise.reject(failure))).rejects.toBe(failure);
  expect(await errorOf(Promise.reject(failure))).toBe(
    "38/18 create volume 'v' of pool 'p': it cannot be written down in the journal '/var/lib/cistern/journal': No space left on device",
  );
});
