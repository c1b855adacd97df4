import { execFile } from "node:child_process";
import { lstat, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { allocatedBytes, compareContents, contentOf, readAll } from "./content.js";
import type { Finding } from "./finding.js";
import { fixturePath, KEY, keyed } from "./fixtures.js";

/** What a new volume is when it is there at all. */
export interface NewVolume {
  readonly format: string;
  readonly capacityBytes: number;
  readonly zeros?: boolean;
  readonly allocated?: boolean;
  /** qcow2: every cluster has its place. */
  readonly metadata?: boolean;
  /** The base name of what it lies over. */
  readonly backing?: string;
  /** The file whose content it has. */
  readonly sameAs?: string;
}

interface Bytes {
  readonly seed: number;
  readonly bytes: number;
}

const QEMU_TIMEOUT_MS = 30_000;
const MODE = 0o640;
const OWNER = 107;
const CLUSTER_BYTES = 65_536;
const BLOCK_BYTES = 4096;

/** Either absent, or complete: kind, format, capacity, content, owner and mode. */
export async function newVolume(path: string, wanted: NewVolume): Promise<Finding> {
  const facts = await lstat(path).catch(() => null);
  if (facts === null) return { state: "before", complaints: [] };
  const complaints: string[] = [];
  const expectEqual = (what: string, found: unknown, expected: unknown): void => {
    if (found !== expected) complaints.push(`${basename(path)}: ${what} is ${found} instead of ${expected}`);
  };
  expectEqual("mode", (facts.mode & 0o7777).toString(8), MODE.toString(8));
  expectEqual("owner", facts.uid, OWNER);
  expectEqual("group", facts.gid, OWNER);
  expectEqual("being a directory", facts.isDirectory(), wanted.format === "dir");
  if (wanted.format === "dir") return { state: "after", complaints };
  try {
    if (wanted.format === "raw") expectEqual("size", facts.size, wanted.capacityBytes);
    const info = await imageInfo(path, wanted.format);
    expectEqual("capacity", info["virtual-size"], wanted.capacityBytes);
    if (wanted.backing !== undefined) {
      expectEqual("backing file", basename(String(info["full-backing-filename"])), wanted.backing);
      expectEqual("format of the backing file", info["backing-filename-format"], "qcow2");
    }
    if (wanted.format === "qcow2") complaints.push(...(await checkQcow2(path, wanted)));
    if (wanted.allocated) {
      const allocated = await allocatedBytes(path);
      if (allocated < wanted.capacityBytes) complaints.push(`only ${allocated} bytes are allocated`);
    }
    if (wanted.zeros) await expectZeros(path, wanted, complaints);
    if (wanted.sameAs !== undefined) await compareImages(path, wanted.format, wanted.sameAs);
  } catch (error) {
    complaints.push(`${basename(path)}: ${(error as Error).message.trim()}`);
  }
  return { state: "after", complaints };
}

/** Old or new size, and what both have in common unchanged. Space that was asked for and is not there makes it half. */
export async function resizedRaw(
  path: string,
  {
    from,
    newBytes,
    allocate = false,
  }: { readonly from: string; readonly newBytes: number; readonly allocate?: boolean },
): Promise<Finding> {
  const [found, old] = await Promise.all([readAll(path), readAll(fixturePath(from))]);
  if (found.length !== old.length && found.length !== newBytes) {
    return { state: "half", complaints: [`the size is ${found.length}, neither old nor new`] };
  }
  const kept = Math.min(found.length, old.length);
  const same = found.subarray(0, kept).equals(old.subarray(0, kept));
  const complaints = same ? [] : ["the content changed"];
  if (!found.subarray(kept).every((byte) => byte === 0)) complaints.push("what was added is not zero");
  if (found.length === old.length) return { state: "before", complaints };
  const half = allocate && (await allocatedBytes(path)) < newBytes;
  return { state: half ? "half" : "after", complaints };
}

export async function resizedQcow2(path: string, oldBytes: number, newBytes: number): Promise<Finding> {
  try {
    const info = await imageInfo(path, "qcow2");
    const size = info["virtual-size"];
    const complaints = await checkQcow2(path, {});
    if (size !== oldBytes && size !== newBytes) complaints.push(`the capacity is ${size}, neither old nor new`);
    // The guest's part is what it was; beyond it there are zeros, which compare takes for equal.
    await compareImages(path, "qcow2", fixturePath("source.qcow2"));
    return { state: size === oldBytes ? "before" : "after", complaints };
  } catch (error) {
    return { state: "half", complaints: [(error as Error).message.trim()] };
  }
}

export async function resizedLuks(path: string, oldBytes: number, newBytes: number): Promise<Finding> {
  try {
    const size = (await imageInfo(path, "luks"))["virtual-size"];
    const complaints: string[] = [];
    if (size !== oldBytes && size !== newBytes) complaints.push(`the capacity is ${size}, neither old nor new`);
    const found = join(await mkdtemp(join(tmpdir(), "cistern-crash-")), "plain");
    try {
      await qemuImg("convert", ...KEY, "--image-opts", keyed(path), "-O", "raw", found);
      const [plain, old] = await Promise.all([readAll(found), readAll(fixturePath("old.raw"))]);
      // What was added is no zero: whatever lies there is deciphered.
      if (!plain.subarray(0, old.length).equals(old)) complaints.push("the content changed");
    } finally {
      await rm(dirname(found), { recursive: true });
    }
    return { state: size === oldBytes ? "before" : "after", complaints };
  } catch (error) {
    return { state: "half", complaints: [(error as Error).message.trim()] };
  }
}

/** The old size, and each block old or new. */
export async function overwritten(
  path: string,
  { bytes, after, from }: { readonly bytes: number; readonly after: Buffer; readonly from: string },
): Promise<Finding> {
  const found = await readAll(path);
  if (found.length !== bytes) return { state: "half", complaints: [`the size is ${found.length} instead of ${bytes}`] };
  const { asFirst, asSecond, foreignAt } = compareContents(found, await readAll(fixturePath(from)), after);
  const complaints = foreignAt === null ? [] : [`what is at ${foreignAt} is neither old nor new`];
  return { state: asSecond ? "after" : asFirst ? "before" : "half", complaints };
}

/** Of the old size, and each block old or new; or of the new one, and complete. */
export async function lengthened(
  path: string,
  { after, from }: { readonly after: Buffer; readonly from: string },
): Promise<Finding> {
  const found = await readAll(path);
  const old = await readAll(fixturePath(from));
  if (found.length === old.length) {
    const finding = await overwritten(path, { bytes: old.length, after: after.subarray(0, old.length), from });
    // All that the old size has room for is not all.
    return finding.state === "after" ? { ...finding, state: "half" } : finding;
  }
  if (found.length !== after.length) {
    return { state: "half", complaints: [`the size is ${found.length}, neither old nor new`] };
  }
  return found.equals(after)
    ? { state: "after", complaints: [] }
    : { state: "half", complaints: ["it has its new size, and not all of its new content"] };
}

/** Random bytes over the old ones: of the old size; "after" when no block is left. */
export async function scrambled(path: string, old: Bytes): Promise<Finding> {
  const found = await readAll(path);
  if (found.length !== old.bytes)
    return { state: "half", complaints: [`the size is ${found.length} instead of ${old.bytes}`] };
  const before = contentOf(old.seed, old.bytes);
  if (found.equals(before)) return { state: "before", complaints: [] };
  let left = 0;
  for (let offset = 0; offset < found.length; offset += BLOCK_BYTES) {
    if (found.subarray(offset, offset + BLOCK_BYTES).equals(before.subarray(offset, offset + BLOCK_BYTES))) left += 1;
  }
  return { state: left === 0 ? "after" : "half", complaints: [] };
}

/** Of the old size; "after" when all is zero, as the last pass leaves it, but for scrub's mark at the beginning. */
export async function scrubbed(path: string, old: Bytes): Promise<Finding> {
  const found = await readAll(path);
  if (found.length !== old.bytes) {
    return { state: "half", complaints: [`the size is ${found.length} instead of ${old.bytes}`] };
  }
  if (found.equals(contentOf(old.seed, old.bytes))) return { state: "before", complaints: [] };
  const isDone = found.subarray(BLOCK_BYTES).every((byte) => byte === 0);
  return { state: isDone ? "after" : "half", complaints: [] };
}

/** There as it was, or gone. */
export async function removed(path: string, old: Bytes): Promise<Finding> {
  if ((await lstat(path).catch(() => null)) === null) return { state: "after", complaints: [] };
  const same = (await readAll(path)).equals(contentOf(old.seed, old.bytes));
  return { state: "before", complaints: same ? [] : ["it is still there, with other content"] };
}

async function expectZeros(path: string, wanted: NewVolume, complaints: string[]): Promise<void> {
  if (wanted.format === "raw") {
    if (!(await readAll(path)).every((byte) => byte === 0)) complaints.push("it is not all zero");
    return;
  }
  const map = JSON.parse(await qemuImg("map", "--output=json", "-f", wanted.format, path)) as readonly MapEntry[];
  if (map.some((entry) => !entry.zero && entry.data && wanted.metadata !== true)) complaints.push("it is not empty");
}

interface MapEntry {
  readonly zero: boolean;
  readonly data: boolean;
}

async function checkQcow2(path: string, wanted: Pick<NewVolume, "metadata" | "capacityBytes"> | object) {
  const check = JSON.parse(await qemuImg("check", "--output=json", "-f", "qcow2", path)) as Record<string, number>;
  const complaints: string[] = [];
  for (const what of ["corruptions", "leaks", "check-errors"] as const) {
    if ((check[what] ?? 0) > 0) complaints.push(`qemu-img check finds ${check[what]} ${what}`);
  }
  if ("metadata" in wanted && wanted.metadata) {
    const clusters = Number(wanted.capacityBytes) / CLUSTER_BYTES;
    if (check["allocated-clusters"] !== clusters) {
      complaints.push(`${check["allocated-clusters"]} of ${clusters} clusters have a place`);
    }
  }
  return complaints;
}

async function imageInfo(path: string, format: string): Promise<Record<string, unknown>> {
  return JSON.parse(await qemuImg("info", "--output=json", "-f", format, path)) as Record<string, unknown>;
}

async function compareImages(path: string, format: string, source: string): Promise<void> {
  await qemuImg("compare", ...KEY, "--image-opts", imageOptions(path, format), imageOptions(source, formatOf(source)));
}

function imageOptions(path: string, format: string): string {
  return format === "luks" ? keyed(path) : `driver=${format},file.filename=${path}`;
}

function formatOf(source: string): string {
  if (basename(source) === "luks.raw") return "luks";
  return source.endsWith(".qcow2") ? "qcow2" : "raw";
}

async function qemuImg(...args: string[]): Promise<string> {
  try {
    return (await promisify(execFile)("qemu-img", args, { timeout: QEMU_TIMEOUT_MS })).stdout;
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`qemu-img ${args[0]}: ${stderr || stdout || (error as Error).message}`, { cause: error });
  }
}
