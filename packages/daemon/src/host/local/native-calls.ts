import { constants } from "node:fs";
import { constants as osConstants } from "node:os";
import { hostLimits } from "../../limits.js";
import { BTRFS_MAGIC } from "../file-system-types.js";
import type { FileFacts } from "../host.js";
import { type Entries, type FoundLink, firstLinkSync } from "../links.js";
import * as native from "../native.js";
import * as system from "../system-calls.js";
import { leaveToDo } from "./left-to-do.js";
import { contentCalls } from "./native-content-calls.js";
import {
  checked,
  factsOfEntry,
  factsOfOpen,
  factsOfPath,
  NativeFailure,
  nameBytes,
  pathBytes,
  plainFactsOfOpen,
  plainFactsOfPath,
} from "./native-facts.js";
import { type Entry, newFileCalls, setLabel } from "./native-new-file-calls.js";
import { accessFlags, directoryFlags, safeFlags } from "./open-flags.js";
import type { PathGuard } from "./path-guard.js";

/**
 * What the threads of `native-lane.ts` can do, by name: synchronous calls, several of them in one where they belong
 * together, because a trip to another thread and back costs more than most of them. Arguments and results are plain data;
 * descriptors are the process's own numbers, which whoever asks keeps open. A failure is a `NativeFailure`.
 */
export const nativeCalls = {
  ...newFileCalls,
  ...contentCalls,

  /** See `firstLinkSync`. */
  firstLink(entries: Entries): FoundLink | null {
    return firstLinkSync(entries);
  },

  /** A directory, and which it is. */
  openDirectory({ path }: { path: string }): { fd: number; device: bigint; inode: bigint } {
    const fd = nativeCalls.openPath({ path, flags: directoryFlags });
    try {
      const { device, inode } = plainFactsOfOpen(fd);
      return { fd, device, inode };
    } catch (failure) {
      system.close(fd);
      throw failure;
    }
  },

  openPath({ path, flags }: { path: string; flags: number }): number {
    return checked(system.openAt(0, pathBytes(path), flags));
  },

  openEntry({ directory, name, flags }: Entry & { flags: number }): number {
    return checked(system.openAt(directory, nameBytes(name), flags));
  },

  close({ fd }: { fd: number }): void {
    checked(system.close(fd));
  },

  /** What a path leads to. */
  identify({ path }: { path: string }): { device: bigint; inode: bigint } {
    const { device, inode } = plainFactsOfPath(path);
    return { device, inode };
  },

  factsOfPath({ path }: { path: string }): FileFacts {
    return factsOfPath(path);
  },

  factsOfOpen({ fd }: { fd: number }): FileFacts {
    return factsOfOpen(fd);
  },

  /** See `Directory.fileSystem`. */
  fileSystem({ fd }: { fd: number }): string {
    // Each subvolume of a btrfs has a device number of its own.
    const uuid = system.fileSystemMagic(fd) === BTRFS_MAGIC ? system.btrfsUuid(fd) : -1;
    return typeof uuid === "number" ? `${plainFactsOfOpen(fd).device}` : `btrfs ${uuid.toString("hex")}`;
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
    leaveToDo(() => system.close(held));
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
} as const;

/** Whether a guard's path still leads to its directory. */
export function leadsThere({ path, device, inode }: PathGuard): boolean {
  try {
    const now = plainFactsOfPath(path);
    return now.device === device && now.inode === inode;
  } catch {
    return false;
  }
}

export type NativeCalls = typeof nativeCalls;
export type NativeCallName = keyof NativeCalls;
export type NativeArguments<Name extends NativeCallName> = Parameters<NativeCalls[Name]>[0];
export type NativeResult<Name extends NativeCallName> = ReturnType<NativeCalls[Name]>;

interface Look {
  readonly facts: FileFacts;
  readonly head: Uint8Array | null;
}

const hasHead: ReadonlySet<string> = new Set(["file", "block"]);

/** Leaves no new access time where that may be asked for: only owners and root may. */
function openForLook(directory: number, name: Uint8Array, further: number): number {
  const flags = accessFlags.read | safeFlags | further;
  const fd = system.openAt(directory, name, flags | constants.O_NOATIME);
  return fd === -osConstants.errno.EPERM ? checked(system.openAt(directory, name, flags)) : checked(fd);
}

/** What cannot be told may be. */
function isLarge(fd: number): boolean {
  try {
    return plainFactsOfOpen(fd).allocatedBytes > hostLimits.freedBehindBytes;
  } catch {
    return true;
  }
}
