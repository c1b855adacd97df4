import { constants } from "node:fs";
import type { FileFacts, FileKind } from "../host.js";
import { statxOffsets } from "../native.js";

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
function kindOfMode(mode: number): FileKind {
  return kindByFormat.get(mode & constants.S_IFMT) ?? "file";
}

/** `record`: where struct statx begins, in 4-byte units of `words` and `quads`' common memory. */
export function factsOfStatx(
  words: Uint32Array,
  quads: BigInt64Array,
  record: number,
  label: string | null,
): FileFacts {
  const word = (offset: number) => words[record + offset / 4] ?? 0;
  const quad = (offset: number) => quads[(record + offset / 4) / 2] ?? 0n;
  const time = (offset: number) => quad(offset) * 1_000_000_000n + BigInt(word(offset + 8));
  const mode = word(statxOffsets.mode) & 0xffff;
  return {
    kind: kindOfMode(mode),
    sizeBytes: quad(statxOffsets.size),
    allocatedBytes: quad(statxOffsets.blocks) * 512n,
    blockSizeBytes: word(statxOffsets.blockSize),
    mode: mode & 0o7777,
    owner: word(statxOffsets.owner),
    group: word(statxOffsets.group),
    device: deviceNumber(word(statxOffsets.deviceMajor), word(statxOffsets.deviceMinor)),
    inode: BigInt.asUintN(64, quad(statxOffsets.inode)),
    deviceNumber: deviceNumber(word(statxOffsets.nodeMajor), word(statxOffsets.nodeMinor)),
    accessNs: time(statxOffsets.access),
    modificationNs: time(statxOffsets.modification),
    changeNs: time(statxOffsets.change),
    label,
  };
}

/** As stat gives it (glibc's makedev). */
function deviceNumber(major: number, minor: number): bigint {
  const low = ((minor & 0xff) | ((major & 0xfff) << 8)) >>> 0;
  if (major < 0x1000 && minor < 0x100) return BigInt(low);
  return (BigInt(major & ~0xfff) << 32n) | (BigInt(minor & ~0xff) << 12n) | BigInt(low);
}
