import { type BigIntStats, constants } from "node:fs";
import type { FileFacts, FileKind } from "../host.js";

const kindByFormat: ReadonlyMap<number, FileKind> = new Map([
  [constants.S_IFREG, "file"],
  [constants.S_IFDIR, "directory"],
  [constants.S_IFLNK, "symlink"],
  [constants.S_IFBLK, "block"],
  [constants.S_IFCHR, "character"],
  [constants.S_IFIFO, "fifo"],
  [constants.S_IFSOCK, "socket"],
]);

/** Of st_mode. */
export function kindOfMode(mode: number): FileKind {
  return kindByFormat.get(mode & constants.S_IFMT) ?? "file";
}

export function factsOfStats(stats: BigIntStats, label: string | null): FileFacts {
  const mode = Number(stats.mode);
  return {
    kind: kindOfMode(mode),
    sizeBytes: stats.size,
    allocatedBytes: stats.blocks * 512n,
    blockSizeBytes: Number(stats.blksize),
    mode: mode & 0o7777,
    owner: Number(stats.uid),
    group: Number(stats.gid),
    device: stats.dev,
    inode: stats.ino,
    accessNs: stats.atimeNs,
    modificationNs: stats.mtimeNs,
    changeNs: stats.ctimeNs,
    label,
  };
}
