import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { attachLoop } from "../../../../tests/support/loop.ts";
import { missing } from "../../../../tests/support/requirements.ts";
import type { Directory, File } from "../../dist/host/index.js";
import { onFileSystems } from "./places.ts";
import { codeOf, scratchDirectory, testHosts } from "./support.ts";

const mebibyte = 1024n * 1024n;

onFileSystems(["ext4", "xfs", "btrfs", "tmpfs"], (place, type) => {
  it("a range is copied inside the kernel, in steps, to the source's end", async () => {
    const { directory, path } = place();
    await using source = await filled(directory, "source", 3n * mebibyte + 5n);
    await using target = await newFile(directory, "target");
    const ways = new Set<string>();
    let done = 0n;
    for (;;) {
      const { copiedBytes, way } = await target.copyRange(source, done, done, mebibyte);
      if (copiedBytes === 0n) break;
      expect(copiedBytes).toBeLessThanOrEqual(mebibyte);
      ways.add(way);
      done += copiedBytes;
    }
    expect(done).toBe(3n * mebibyte + 5n);
    expect([...ways]).toEqual(["kernel"]);
    execFileSync("cmp", [`${path}/source`, `${path}/target`]);
    expect((await target.copyRange(source, 1n, 10n, 3n)).copiedBytes).toBe(3n);
    expect(await target.read(10n, 3)).toEqual(await source.read(1n, 3));
  });

  it("an overwritten range has new content in the blocks it had", async () => {
    const { directory, path } = place();
    await using file = await filled(directory, "file", 4n * mebibyte);
    await file.sync();
    const before = extents(`${path}/file`);
    const allocated = (await file.facts()).allocatedBytes;
    await file.overwrite(mebibyte, 2n * mebibyte + 1n, "zeros");
    await file.startWriteback(mebibyte, 2n * mebibyte);
    await file.syncData();
    const content = readFileSync(`${path}/file`);
    expect(content.subarray(1 << 20, (3 << 20) + 1).every((byte) => byte === 0)).toBe(true);
    expect(content[(1 << 20) - 1]).toBe(1);
    expect(content[(3 << 20) + 1]).toBe(1);
    expect((await file.facts()).allocatedBytes).toBe(allocated);
    // btrfs writes elsewhere: that is what its traits say.
    if (type === "ext4" || type === "xfs") expect(extents(`${path}/file`)).toEqual(before);
  });

  it("random bytes are never the same", async () => {
    const { directory, path } = place();
    await using file = await newFile(directory, "file");
    await file.overwrite(0n, 2n * mebibyte, "random");
    await file.overwrite(2n * mebibyte, 2n * mebibyte, "random");
    const content = readFileSync(`${path}/file`);
    expect(content.length).toBe(4 << 20);
    const blocks = new Set<string>();
    for (let start = 0; start < content.length; start += 4_096)
      blocks.add(content.toString("latin1", start, start + 64));
    expect(blocks.size).toBe(1_024);
    const counts = new Array<number>(256).fill(0);
    for (const byte of content) counts[byte] = (counts[byte] ?? 0) + 1;
    // 16,384 of each are expected; a deviation of ten standard deviations is none of chance.
    expect(Math.max(...counts.map((count) => Math.abs(count - 16_384)))).toBeLessThan(1_280);
  });

  it("a discarded range is a hole", async () => {
    const { directory, path } = place();
    await using file = await filled(directory, "file", 4n * mebibyte);
    await file.sync();
    const before = statSync(`${path}/file`).blocks;
    await file.discard(mebibyte, 2n * mebibyte);
    await file.sync();
    expect(statSync(`${path}/file`).blocks).toBeLessThanOrEqual(before - 4_096);
    expect(await file.sizeBytes()).toBe(4n * mebibyte);
    expect([...(await file.read(mebibyte - 1n, 2))]).toEqual([1, 0]);
  });

  it("space is reserved without making the file longer", async () => {
    const { directory } = place();
    await using file = await newFile(directory, "file");
    await file.allocate(0n, 4n * mebibyte, { keepSize: true });
    const { sizeBytes, allocatedBytes } = await file.facts();
    expect(sizeBytes).toBe(0n);
    expect(allocatedBytes).toBeGreaterThanOrEqual(4n * mebibyte);
    expect(await codeOf(file.allocate(0n, 1024n * mebibyte, { keepSize: true }))).toBe("ENOSPC");
  });

  it("where a file has blocks is told, whether they hold data or were only reserved", async () => {
    const { directory } = place();
    await using file = await newFile(directory, "file");
    await file.truncate(16n * mebibyte);
    await file.write(4n * mebibyte, Buffer.alloc(1_048_576, 1));
    await file.allocate(8n * mebibyte, mebibyte, { keepSize: true });
    if (type === "tmpfs") {
      expect(await file.blocksFrom(0n)).toBeNull();
      return;
    }
    const covers = async (from: bigint): Promise<[bigint, bigint][]> => {
      const joined: [bigint, bigint][] = [];
      for (const { startBytes, endBytes } of (await file.blocksFrom(from)) ?? []) {
        const last = joined.at(-1);
        if (last !== undefined && last[1] === startBytes) last[1] = endBytes;
        else joined.push([startBytes, endBytes]);
      }
      return joined;
    };
    const [data, reserved] = [
      [4n * mebibyte, 5n * mebibyte],
      [8n * mebibyte, 9n * mebibyte],
    ];
    expect(await covers(0n)).toEqual([data, reserved]);
    expect(await covers(4n * mebibyte + 4_096n)).toEqual([[4n * mebibyte + 4_096n, 5n * mebibyte], reserved]);
    expect(await covers(9n * mebibyte)).toEqual([]);
  });

  it("where a file has data is told in looks, which go on where the one before ended", async () => {
    const { directory } = place();
    await using file = await newFile(directory, "file");
    await file.truncate(16n * mebibyte);
    const pieces = Array.from({ length: 600 }, (_, index) => BigInt(index) * 16_384n + 8_192n);
    for (const at of pieces) await file.write(at, Buffer.alloc(4_096, 1));
    // Only reserved: no data.
    await file.allocate(12n * mebibyte, mebibyte, { keepSize: true });
    await file.sync();
    const found: { startBytes: bigint; endBytes: bigint }[] = [];
    let looks = 0;
    for (let at = 0n; ; looks++) {
      const ranges = await file.dataFrom(at);
      if (ranges.length === 0) break;
      found.push(...ranges);
      at = ranges.at(-1)?.endBytes ?? 0n;
    }
    // tmpfs fills what is reserved.
    const data = found.filter(({ startBytes }) => startBytes < 12n * mebibyte);
    expect(data).toEqual(pieces.map((at) => ({ startBytes: at, endBytes: at + 4_096n })));
    if (type !== "tmpfs") expect(found).toEqual(data);
    expect(looks).toBeGreaterThan(1);
    // From the middle of data, and from behind the end.
    expect((await file.dataFrom(8_192n + 512n))[0]).toEqual({ startBytes: 8_192n + 512n, endBytes: 12_288n });
    expect(await file.dataFrom(16n * mebibyte)).toEqual([]);
    expect(await file.dataFrom(99n * mebibyte)).toEqual([]);
  });

  it("what overwriting means is told", async () => {
    const { directory } = place();
    await using file = await filled(directory, "file", mebibyte);
    const own = { copyOnWrite: type === "btrfs", sharesBlocks: type === "tmpfs" ? null : false };
    expect(await file.storageTraits()).toEqual(own);
    if (type === "btrfs") {
      await using flagged = await directory.createNamed("flagged", { ...plain, noCopyOnWrite: true });
      expect((await flagged.storageTraits()).copyOnWrite).toBe(false);
    }
    if (type !== "xfs" && type !== "btrfs") return;
    await using clone = await newFile(directory, "clone");
    await clone.cloneFrom(file);
    expect((await file.storageTraits()).sharesBlocks).toBe(true);
    expect((await clone.storageTraits()).sharesBlocks).toBe(true);
    // Written elsewhere by now, all of it.
    await clone.overwrite(0n, mebibyte, "zeros");
    await clone.sync();
    expect((await clone.storageTraits()).sharesBlocks).toBe(false);
  });
});

describe("between two file systems", () => {
  const root = scratchDirectory();
  const hosts = testHosts();

  it("a range is copied by reading and writing", async (context) => {
    const reason = missing({ paths: ["/dev/shm"] });
    context.skip(reason !== null, reason ?? "");
    await using directory = await hosts.local.openDirectory(root);
    await using memory = await hosts.local.openDirectory("/dev/shm");
    await using source = await filled(directory, "source", 2n * mebibyte + 1n);
    await using target = await memory.createUnnamed(plain);
    const copied = await target.copyRange(source, 1n, 0n, 64n * mebibyte);
    expect(copied).toEqual({ copiedBytes: 2n * mebibyte, way: "buffered" });
    expect(Buffer.alloc(2 << 20, 1).equals(await target.read(0n, 2 << 20))).toBe(true);
    expect(await target.copyRange(source, 2n * mebibyte + 1n, 0n, 1n)).toMatchObject({ copiedBytes: 0n });
  });

  it("what the kernel makes up as it is read is copied, too", async () => {
    await using directory = await hosts.local.openDirectory(root);
    await using source = await hosts.local.openFile("/proc/self/status", "read");
    await using target = await newFile(directory, "status");
    const { copiedBytes } = await target.copyRange(source, 0n, 0n, mebibyte);
    expect(copiedBytes).toBeGreaterThan(100n);
  });
});

describe("of a block device", () => {
  const hosts = testHosts();

  it("ranges are overwritten, discarded and copied", async (context) => {
    const reason = missing({ root: true, programs: ["losetup"], paths: ["/dev/loop-control"] });
    context.skip(reason !== null, reason ?? "");
    using loop = attachLoop(4 * 1024 * 1024);
    await using file = await hosts.local.openFile(loop.device, "read-write");
    await file.overwrite(0n, 4n * mebibyte, "random");
    await file.sync();
    // It has no holes.
    expect(await file.dataFrom(512n)).toEqual([{ startBytes: 512n, endBytes: 4n * mebibyte }]);
    await file.discard(mebibyte, mebibyte);
    expect(Buffer.alloc(1 << 20).equals(await file.read(mebibyte, 1 << 20))).toBe(true);
    expect((await file.read(2n * mebibyte, 4_096)).every((byte) => byte === 0)).toBe(false);
    expect(await file.copyRange(file, 0n, 2n * mebibyte, mebibyte)).toEqual({ copiedBytes: mebibyte, way: "buffered" });
    expect(await file.read(2n * mebibyte, 4_096)).toEqual(await file.read(0n, 4_096));
  });
});

const plain = { mode: 0o600, owner: -1, group: -1, label: null } as const;

function newFile(directory: Directory, name: string): Promise<File> {
  return directory.createNamed(name, plain);
}

/** Of ones. */
async function filled(directory: Directory, name: string, sizeBytes: bigint): Promise<File> {
  const file = await newFile(directory, name);
  await file.write(0n, Buffer.alloc(Number(sizeBytes), 1));
  return file;
}

/** Where on the disk the file lies: logical and physical blocks. */
function extents(path: string): string[] {
  try {
    const output = execFileSync("filefrag", ["-v", path], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return output.split("\n").flatMap((line) => /^\s*\d+:\s*(\S+\s+\S+\s+\S+\s+\S+)/.exec(line)?.[1] ?? []);
  } catch {
    return [];
  }
}
