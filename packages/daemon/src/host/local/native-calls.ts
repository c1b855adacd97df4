import { type Cipher, createCipheriv, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { constants as osConstants } from "node:os";
import { hostLimits } from "../../limits.js";
import { copiesOnWrite } from "../file-system-types.js";
import type { BlockRange, ContentPiece, FileFacts, HostStep } from "../host.js";
import { type Entries, type FoundLink, firstLinkSync } from "../links.js";
import { bytesOfName, bytesOfPath } from "../names.js";
import * as native from "../native.js";
import * as system from "../system-calls.js";
import { factsOfStatx, kindOfMode } from "./facts.js";
import { accessFlags, directoryFlags, safeFlags } from "./open-flags.js";
import type { PathGuard } from "./path-guard.js";

/**
 * What the threads of `native-lane.ts` can do, by name: synchronous calls, several of them in one where they belong
 * together, because a trip to another thread and back costs more than most of them. Arguments and results are plain data;
 * descriptors are the process's own numbers, which whoever asks keeps open. A failure is a `NativeFailure`.
 */
export const nativeCalls = {
  /** See `firstLinkSync`. */
  firstLink(entries: Entries): FoundLink | null {
    return firstLinkSync(entries);
  },

  /** A directory, and which it is. */
  openDirectory({ path }: { path: string }): { fd: number; device: bigint; inode: bigint } {
    const fd = nativeCalls.openPath({ path, flags: directoryFlags });
    try {
      checked(system.statOpen(fd, statx));
    } catch (failure) {
      system.close(fd);
      throw failure;
    }
    const { device, inode } = factsOfStatx(statxWords, statxQuads, 0, null);
    return { fd, device, inode };
  },

  openPath({ path, flags }: { path: string; flags: number }): number {
    return checked(system.openAt(0, terminated(bytesOfPath(path)), flags));
  },

  openEntry({ directory, name, flags }: Entry & { flags: number }): number {
    return checked(system.openAt(directory, nameBytes(name), flags));
  },

  close({ fd }: { fd: number }): void {
    checked(system.close(fd));
  },

  /** What a path leads to. */
  identify({ path }: { path: string }): { device: bigint; inode: bigint } {
    checked(system.statPath(terminated(bytesOfPath(path)), statx));
    const { device, inode } = factsOfStatx(statxWords, statxQuads, 0, null);
    return { device, inode };
  },

  factsOfPath({ path }: { path: string }): FileFacts {
    const bytes = terminated(bytesOfPath(path));
    checked(system.statPath(bytes, statx));
    return factsOfStatx(statxWords, statxQuads, 0, native.labelOfPathSync(bytes, true));
  },

  factsOfOpen({ fd }: { fd: number }): FileFacts {
    return factsOfOpen(fd);
  },

  factsOfEntry({ directory, name, follow }: Entry & { follow: boolean }): FileFacts {
    return factsOfEntry(directory, name, follow);
  },

  /** ELOOP for a symlink that is not to be followed. */
  look({ directory, name, headBytes, follow }: Entry & { headBytes: number; follow: boolean }): Look {
    const seen = factsOfEntry(directory, name, follow);
    if (seen.kind === "symlink") throw new NativeFailure(osConstants.errno.ELOOP);
    // Opening a FIFO wakes its writer, and a character device may rewind a tape: their facts are enough.
    if (!hasHead.has(seen.kind)) return { facts: seen, head: null };
    const fd = openForLook(directory, nameBytes(name), follow ? 0 : constants.O_NOFOLLOW);
    try {
      // The entry may have been replaced between the look and the opening: what was opened counts.
      const facts = factsOfOpen(fd);
      if (!hasHead.has(facts.kind)) return { facts, head: null };
      const head = Buffer.allocUnsafe(Math.min(headBytes, Number(facts.sizeBytes)));
      return { facts, head: head.subarray(0, checked(system.readAt(fd, head, 0n))) };
    } finally {
      system.close(fd);
    }
  },

  createUnnamed({ directory, request }: { directory: number; request: NewFile }): number {
    const fd = system.openUnnamed(directory, request.mode & 0o600);
    if (fd < 0) throw new NativeFailure(unnamedErrno.get(-fd) ?? -fd, "create");
    return prepared(fd, request, () => undefined);
  },

  createNamed({ directory, name, request }: Entry & { request: NewFile }): number {
    const bytes = nameBytes(name);
    const fd = checked(system.openAt(directory, bytes, request.flags | exclusiveFlags, request.mode & 0o600), "create");
    return prepared(fd, request, () => system.removeFile(directory, bytes));
  },

  createWhole({
    directory,
    name,
    request,
    pieces,
  }: Entry & { request: NewFile; pieces: readonly ContentPiece[] }): FileFacts {
    const bytes = nameBytes(name);
    const runs = runsOf(pieces);
    const last = runs.at(-1);
    const writtenBytes = last === undefined ? 0n : last.offsetBytes + BigInt(last.lengthBytes);
    // Where the content ends with the file, writing it gives the file its size.
    const sizeBytes = writtenBytes < request.sizeBytes ? request.sizeBytes : 0n;
    const fd = nativeCalls.createUnnamed({ directory, request: { ...request, sizeBytes } });
    try {
      for (const run of runs) checked(system.writeAt(fd, wholeRun(run), run.offsetBytes), "write");
      checked(system.linkOpen(fd, directory, bytes), "link");
      const synced = system.sync(fd);
      // A name that could not be made durable is taken back.
      if (synced < 0) system.removeFile(directory, bytes);
      checked(synced, "sync");
      return factsOfOpen(fd);
    } finally {
      leftToDo = () => system.close(fd);
    }
  },

  publish({ directory, name, fd, sync }: Entry & { fd: number; sync: SyncDepth }): FileFacts {
    checked(system.linkOpen(fd, directory, nameBytes(name)), "link");
    if (sync !== "none") checked(system.sync(fd), "sync");
    if (sync === "directory") checked(system.sync(directory), "sync");
    return factsOfOpen(fd);
  },

  publishEntry({ directory, from, name, sync }: Entry & { from: string; sync: SyncDepth }): FileFacts {
    renameWithoutReplacing(directory, nameBytes(from), nameBytes(name));
    if (sync !== "none") syncEntry(directory, name);
    if (sync === "directory") checked(system.sync(directory), "sync");
    return factsOfEntry(directory, name, false);
  },

  /**
   * Takes the name away. What the file holds is freed with its last user, which is this call; or, with `holds`, whoever closes the
   * descriptor that is given, because to free much takes long. Little is freed by this thread, behind its answer: null.
   */
  removeFile({ directory, name, holds }: Entry & { holds: boolean }): number | null {
    const bytes = nameBytes(name);
    // What cannot be held is for the removal to name.
    const held = holds ? system.holdEntry(directory, bytes) : -1;
    const removed = system.removeFile(directory, bytes);
    if (held < 0) {
      checked(removed);
      return null;
    }
    if (removed >= 0 && isLarge(held)) return held;
    leftToDo = () => system.close(held);
    checked(removed);
    return null;
  },

  removeDirectory({ directory, name }: Entry): void {
    checked(system.removeDirectory(directory, nameBytes(name)));
  },

  changeMode({ fd, mode }: { fd: number; mode: number }): void {
    checked(system.changeMode(fd, mode));
  },

  changeOwner({ fd, owner, group }: { fd: number; owner: number; group: number }): void {
    checked(system.changeOwner(fd, owner, group));
  },

  setLabel({ fd, label }: { fd: number; label: string }): void {
    checked(setLabel(fd, label));
  },

  setNoCopyOnWrite({ fd, value }: { fd: number; value: boolean }): void {
    checked(-native.setNoCopyOnWriteSync(fd, value));
  },

  truncate({ fd, sizeBytes }: { fd: number; sizeBytes: bigint }): void {
    checked(system.truncate(fd, sizeBytes));
  },

  allocate({ fd, offsetBytes, lengthBytes, keepSize }: Range & { keepSize: boolean }): void {
    const call = keepSize ? system.allocateKeepingSize : system.allocate;
    checked(call(fd, offsetBytes, lengthBytes));
  },

  discard({ fd, offsetBytes, lengthBytes }: Range): void {
    checked(system.statOpen(fd, statx));
    const isDevice = kindOfMode((statxWords[native.statxOffsets.mode / 4] ?? 0) & 0xffff) === "block";
    const call = isDevice ? system.discardOfDevice : system.punchHole;
    const result = call(fd, offsetBytes, lengthBytes);
    if (result < 0) throw new NativeFailure(cannotDiscard.has(-result) ? EOPNOTSUPP : -result);
  },

  sync({ fd }: { fd: number }): void {
    checked(system.sync(fd));
  },

  syncData({ fd }: { fd: number }): void {
    checked(system.syncData(fd));
  },

  /** It only helps: whether it could be done shows when the file is flushed. */
  startWriteback({ fd, offsetBytes, lengthBytes }: Range): void {
    system.startWriteback(fd, offsetBytes, lengthBytes);
  },

  /** Shares all of `source`'s blocks with `target`. */
  clone({ source, target }: { source: number; target: number }): void {
    checked(-native.cloneSync(target, source));
  },

  copyRange({ source, sourceOffset, target, targetOffset, lengthBytes }: CopiedRange): CopiedBytes {
    const copied = system.copyRange(source, sourceOffset, target, targetOffset, lengthBytes);
    if (copied > 0) return { copiedBytes: BigInt(copied), way: "kernel" };
    if (copied < 0 && !cannotCopy.has(-copied)) throw new NativeFailure(-copied);
    // Files that the kernel makes up as they are read have no size to it, and 0 is what it then says.
    return copyByReading(source, sourceOffset, target, targetOffset, lengthBytes);
  },

  overwrite({ fd, offsetBytes, lengthBytes, pattern }: Range & { pattern: "zeros" | "random" }): void {
    for (let done = 0n; done < lengthBytes; ) {
      const length = Math.min(hostLimits.copyBlockBytes, Number(lengthBytes - done));
      const bytes = pattern === "zeros" ? zeros.subarray(0, length) : nextRandom(length);
      checked(system.writeAt(fd, bytes, offsetBytes + done));
      done += BigInt(length);
    }
  },

  blocksFrom({ fd, offsetBytes }: { fd: number; offsetBytes: bigint }): readonly BlockRange[] | null {
    const extents = system.extentsFrom(fd, offsetBytes);
    if (typeof extents === "number") return null;
    // The first may have begun before.
    return extents
      .filter(({ endBytes }) => endBytes > offsetBytes)
      .map(({ startBytes, endBytes }) => ({
        startBytes: startBytes < offsetBytes ? offsetBytes : startBytes,
        endBytes,
      }));
  },

  storageTraits({ fd }: { fd: number }): { copyOnWrite: boolean; sharesBlocks: boolean | null } {
    const magic = system.fileSystemMagic(fd);
    const copyOnWrite = magic >= 0 && copiesOnWrite(magic) && !system.isNoCopyOnWrite(fd);
    return { copyOnWrite, sharesBlocks: sharesBlocks(fd) };
  },
} as const;

/** Whether a guard's path still leads to its directory. */
export function leadsThere({ path, device, inode }: PathGuard): boolean {
  if (system.statPath(terminated(bytesOfPath(path)), statx) < 0) return false;
  const now = factsOfStatx(statxWords, statxQuads, 0, null);
  return now.device === device && now.inode === inode;
}

export type NativeCalls = typeof nativeCalls;
export type NativeCallName = keyof NativeCalls;
export type NativeArguments<Name extends NativeCallName> = Parameters<NativeCalls[Name]>[0];
export type NativeResult<Name extends NativeCallName> = ReturnType<NativeCalls[Name]>;

interface Entry {
  readonly directory: number;
  readonly name: string;
}

interface Range {
  readonly fd: number;
  readonly offsetBytes: bigint;
  readonly lengthBytes: bigint;
}

let leftToDo: (() => void) | null = null;

/** What the last call has left, because nobody waits for it. */
export function doWhatIsLeft(): void {
  leftToDo?.();
  leftToDo = null;
}

function isLarge(fd: number): boolean {
  if (system.statOpen(fd, statx) < 0) return true;
  return factsOfStatx(statxWords, statxQuads, 0, null).allocatedBytes > hostLimits.freedBehindBytes;
}

interface CopiedRange {
  readonly source: number;
  readonly sourceOffset: bigint;
  readonly target: number;
  readonly targetOffset: bigint;
  readonly lengthBytes: bigint;
}

interface CopiedBytes {
  readonly copiedBytes: bigint;
  readonly way: "kernel" | "buffered";
}

interface Look {
  readonly facts: FileFacts;
  readonly head: Uint8Array | null;
}

export type SyncDepth = "none" | "file" | "directory";

/** `NewFileRequest` with nothing left out. `flags`: how it is opened, where that is not read-write. */
export interface NewFile {
  readonly flags: number;
  readonly mode: number;
  readonly owner: number;
  readonly group: number;
  readonly label: string | null;
  readonly sizeBytes: bigint;
  readonly noCopyOnWrite: boolean;
}

export class NativeFailure extends Error {
  readonly errno: number;
  readonly step: HostStep | undefined;

  constructor(errno: number, step?: HostStep) {
    super(`errno ${errno}`);
    this.errno = errno;
    this.step = step;
  }
}

const { EINVAL, EISDIR, ENOENT, ENOSYS, ENOTTY, EOPNOTSUPP, EPERM, EXDEV } = osConstants.errno;

/** What file systems without nameless files say, and kernels that know none. */
const unnamedErrno: ReadonlyMap<number, number> = new Map(
  [EISDIR, ENOENT, EINVAL, ENOSYS].map((errno) => [errno, EOPNOTSUPP]),
);

const cannotDiscard: ReadonlySet<number> = new Set([ENOSYS, ENOTTY, EOPNOTSUPP]);
const cannotCopy: ReadonlySet<number> = new Set([EXDEV, EOPNOTSUPP, ENOSYS, EINVAL]);
const cannotRename: ReadonlySet<number> = new Set([EINVAL, ENOSYS, EOPNOTSUPP]);
const cannotLink: ReadonlySet<number> = new Set([EPERM, ENOSYS, EOPNOTSUPP]);

const hasHead: ReadonlySet<string> = new Set(["file", "block"]);

const exclusiveFlags = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_NOCTTY;

/** What the kernel says of a file; each call reads it before the next one is made. */
const statx = new Uint8Array(native.statxBytes);
const statxWords = new Uint32Array(statx.buffer);
const statxQuads = new BigInt64Array(statx.buffer);

const zeros = Buffer.alloc(hostLimits.copyBlockBytes);
let random: Cipher | null = null;
let buffer: Buffer | null = null;
let content: Buffer = Buffer.alloc(0);

/** A result that is no negated errno. */
function checked(result: number, step?: HostStep): number {
  if (result < 0) throw new NativeFailure(-result, step);
  return result;
}

/** Pieces that touch, for one write. */
interface Run {
  readonly offsetBytes: bigint;
  readonly pieces: ContentPiece[];
  lengthBytes: number;
}

function runsOf(pieces: readonly ContentPiece[]): Run[] {
  const runs: Run[] = [];
  for (const piece of pieces) {
    const { offsetBytes, lengthBytes } = piece;
    const last = runs.at(-1);
    if (last === undefined || offsetBytes !== last.offsetBytes + BigInt(last.lengthBytes)) {
      runs.push({ offsetBytes, pieces: [piece], lengthBytes });
    } else {
      last.pieces.push(piece);
      last.lengthBytes += lengthBytes;
    }
  }
  return runs;
}

/** To be written before the next is made. */
function wholeRun({ pieces, lengthBytes }: Run): Uint8Array {
  // Kept: new memory for each image costs more than to clear this.
  if (content.length < lengthBytes) content = Buffer.allocUnsafeSlow(lengthBytes);
  let at = 0;
  for (const { bytes, lengthBytes: length } of pieces) {
    content.set(bytes, at);
    content.fill(0, at + bytes.length, at + length);
    at += length;
  }
  return content.subarray(0, lengthBytes);
}

function terminated(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(1)]);
}

function nameBytes(name: string): Buffer {
  return terminated(bytesOfName(name));
}

function factsOfOpen(fd: number): FileFacts {
  checked(system.statOpen(fd, statx));
  const facts = factsOfStatx(statxWords, statxQuads, 0, native.labelSync(fd));
  return facts.kind === "block" ? { ...facts, sizeBytes: native.sizeSync(fd) ?? 0n } : facts;
}

/** Of a symlink itself the label does not count. */
function factsOfEntry(directory: number, name: string, follow: boolean): FileFacts {
  const bytes = nameBytes(name);
  checked(system.statEntry(directory, bytes, follow, statx));
  const facts = factsOfStatx(statxWords, statxQuads, 0, null);
  if (facts.kind === "symlink") return facts;
  const path = Buffer.concat([Buffer.from(`/proc/self/fd/${directory}/`), bytes]);
  return { ...facts, label: native.labelOfPathSync(path, follow) };
}

/** Leaves no new access time where that may be asked for: only owners and root may. */
function openForLook(directory: number, name: Uint8Array, further: number): number {
  const flags = accessFlags.read | safeFlags | further;
  const fd = system.openAt(directory, name, flags | constants.O_NOATIME);
  return fd === -EPERM ? checked(system.openAt(directory, name, flags)) : checked(fd);
}

/**
 * Makes a new file what it is to be. Its flag first, which only an empty file takes; the mode after the owner, since a change
 * of owner takes bits away. Whatever fails, nothing is left of it.
 */
function prepared(fd: number, request: NewFile, remove: () => void): number {
  try {
    if (request.noCopyOnWrite) checked(-native.setNoCopyOnWriteSync(fd, true), "create");
    if (request.label !== null) checked(setLabel(fd, request.label), "label");
    if (request.owner !== -1 || request.group !== -1)
      checked(system.changeOwner(fd, request.owner, request.group), "owner");
    checked(system.changeMode(fd, request.mode), "mode");
    if (request.sizeBytes > 0n) checked(system.truncate(fd, request.sizeBytes), "size");
    return fd;
  } catch (failure) {
    remove();
    system.close(fd);
    throw failure;
  }
}

/** Stored with its terminating zero byte. */
function setLabel(fd: number, label: string): number {
  return system.setAttribute(fd, native.labelAttribute, Buffer.from(`${label}\0`));
}

/**
 * Where the file system cannot rename so, a second name is given and the first one taken away. Where it has no second
 * names either (vfat), it is looked whether the name is free, and a file that comes in between is replaced: nothing better
 * can be had there.
 */
function renameWithoutReplacing(directory: number, from: Uint8Array, to: Uint8Array): void {
  const renamed = system.renameWithoutReplacing(directory, from, to);
  if (!cannotRename.has(-renamed)) {
    checked(renamed, "link");
    return;
  }
  const linked = system.linkEntry(directory, from, to);
  if (!cannotLink.has(-linked)) {
    checked(linked, "link");
    checked(system.removeFile(directory, from), "link");
    return;
  }
  const seen = system.statEntry(directory, to, false, statx);
  if (seen === 0) throw new NativeFailure(osConstants.errno.EEXIST, "link");
  if (seen !== -ENOENT) checked(seen, "link");
  checked(system.rename(directory, from, to), "link");
}

function syncEntry(directory: number, name: string): void {
  const { kind } = factsOfEntry(directory, name, false);
  if (kind !== "file" && kind !== "directory") return;
  const fd = checked(system.openAt(directory, nameBytes(name), safeFlags | constants.O_NOFOLLOW), "sync");
  try {
    checked(system.sync(fd), "sync");
  } finally {
    system.close(fd);
  }
}

/** One block at most: whoever asks asks again. */
function copyByReading(
  source: number,
  sourceOffset: bigint,
  target: number,
  targetOffset: bigint,
  lengthBytes: bigint,
): CopiedBytes {
  buffer ??= Buffer.allocUnsafeSlow(hostLimits.copyBlockBytes);
  let done = 0n;
  while (done < lengthBytes) {
    const block = buffer.subarray(0, Math.min(buffer.length, Number(lengthBytes - done)));
    const read = checked(system.readAt(source, block, sourceOffset + done));
    checked(system.writeAt(target, block.subarray(0, read), targetOffset + done));
    done += BigInt(read);
    if (read < block.length) break;
  }
  return { copiedBytes: done, way: "buffered" };
}

/** The next bytes of a stream that only this thread's key gives: as good as the kernel's, and a hundred times as fast. */
function nextRandom(length: number): Uint8Array {
  random ??= createCipheriv("aes-256-ctr", randomBytes(32), randomBytes(16));
  return random.update(zeros.subarray(0, length));
}

function sharesBlocks(fd: number): boolean | null {
  let offsetBytes = 0n;
  for (let seen = 0; seen < hostLimits.extentsLookedAt; ) {
    const extents = system.extentsFrom(fd, offsetBytes);
    if (typeof extents === "number") return null;
    if (extents.some(({ isShared }) => isShared)) return true;
    const last = extents.at(-1);
    if (last === undefined || last.isLast || last.endBytes <= offsetBytes) return false;
    offsetBytes = last.endBytes;
    seen += extents.length;
  }
  return null;
}
