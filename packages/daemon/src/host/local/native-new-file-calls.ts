import { constants } from "node:fs";
import { constants as osConstants } from "node:os";
import type { ContentPiece, FileFacts } from "../host.js";
import * as native from "../native.js";
import * as system from "../system-calls.js";
import { leaveToDo } from "./left-to-do.js";
import { checked, factsOfEntry, factsOfOpen, NativeFailure, nameBytes, seenEntry } from "./native-facts.js";
import { safeFlags } from "./open-flags.js";

/** Native calls by which files come to be and get their names. */
export const newFileCalls = {
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
    const fd = newFileCalls.createUnnamed({ directory, request: { ...request, sizeBytes } });
    try {
      for (const run of runs) checked(system.writeAt(fd, wholeRun(run), run.offsetBytes), "write");
      checked(system.linkOpen(fd, directory, bytes), "link");
      const synced = system.sync(fd);
      // A name that could not be made durable is taken back.
      if (synced < 0) system.removeFile(directory, bytes);
      checked(synced, "sync");
      return factsOfOpen(fd);
    } finally {
      leaveToDo(() => system.close(fd));
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
} as const;

export interface Entry {
  readonly directory: number;
  readonly name: string;
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

const { EEXIST, EINVAL, EISDIR, ENOENT, ENOSYS, EOPNOTSUPP, EPERM } = osConstants.errno;

/** What file systems without nameless files say, and kernels that know none. */
const unnamedErrno: ReadonlyMap<number, number> = new Map(
  [EISDIR, ENOENT, EINVAL, ENOSYS].map((errno) => [errno, EOPNOTSUPP]),
);

const cannotRename: ReadonlySet<number> = new Set([EINVAL, ENOSYS, EOPNOTSUPP]);
const cannotLink: ReadonlySet<number> = new Set([EPERM, ENOSYS, EOPNOTSUPP]);

const exclusiveFlags = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_NOCTTY;

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
export function setLabel(fd: number, label: string): number {
  return system.setAttribute(fd, native.labelAttribute, Buffer.from(`${label}\0`));
}

let content: Buffer = Buffer.alloc(0);

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
  const seen = seenEntry(directory, to);
  if (seen === 0) throw new NativeFailure(EEXIST, "link");
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
