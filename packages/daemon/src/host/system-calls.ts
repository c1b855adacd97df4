import { constants } from "node:fs";
import { constants as osConstants } from "node:os";
import koffi from "koffi";
import { statxBytes } from "./native.js";

/**
 * The native calls of `local/native-calls.ts`, which makes them in threads of its own: they may wait for a disk. With
 * `native.ts` the only file that calls C. Each gives what the call gives, or a negated errno. Names end with a zero byte.
 */
const libc = koffi.load(null);

const libcOpenat = libc.func("int openat64(int, const void *, int, int)");
const libcClose = libc.func("int close(int)");
const libcStatx = libc.func("int statx(int, const void *, int, unsigned int, void *)");
const libcFchmod = libc.func("int fchmod(int, unsigned int)");
const libcFchown = libc.func("int fchown(int, unsigned int, unsigned int)");
const libcFtruncate = libc.func("int ftruncate64(int, int64_t)");
const libcFallocate = libc.func("int fallocate64(int, int, int64_t, int64_t)");
const libcPosixFallocate = libc.func("int posix_fallocate64(int, int64_t, int64_t)");
const libcFsync = libc.func("int fsync(int)");
const libcFdatasync = libc.func("int fdatasync(int)");
const libcSyncFileRange = libc.func("int sync_file_range(int, int64_t, int64_t, unsigned int)");
const libcLinkat = libc.func("int linkat(int, const void *, int, const void *, int)");
const libcUnlinkat = libc.func("int unlinkat(int, const void *, int)");
const libcRenameat2 = libc.func("int renameat2(int, const void *, int, const void *, unsigned int)");
const libcLseek = libc.func("int64_t lseek64(int, int64_t, int)");
const libcPread = libc.func("int64_t pread64(int, void *, size_t, int64_t)");
const libcPwrite = libc.func("int64_t pwrite64(int, const void *, size_t, int64_t)");
const libcCopyFileRange = libc.func("int64_t copy_file_range(int, void *, int, void *, size_t, unsigned int)");
const libcFsetxattr = libc.func("int fsetxattr(int, const char *, const void *, size_t, int)");
const libcFstatfs = libc.func("int fstatfs64(int, void *)");
const libcFcntl = libc.func("fcntl", "int", ["int", "int", "int64_t"]);
const libcSchedYield = libc.func("int sched_yield()");
const libcIoctl = libc.func("ioctl", "int", ["int", "unsigned long", "void *"]);

const O_CLOEXEC = 0o2000000;
/** Node has no name for it. O_DIRECTORY, which it contains, differs between architectures. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
/** The same on every architecture. */
const O_PATH = 0o10000000;
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const AT_SYMLINK_FOLLOW = 0x400;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;
const RENAME_NOREPLACE = 1;
const FALLOC_FL_KEEP_SIZE = 0x01;
const FALLOC_FL_PUNCH_HOLE = 0x02;
const SYNC_FILE_RANGE_WRITE = 2;
const SEEK_END = 2;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const BLKDISCARD = 0x1277;
const FS_IOC_FIEMAP = 0xc020_660b;
const FS_IOC_GETFLAGS = 0x8008_6601;
const FS_NOCOW_FL = 0x0080_0000;
const BTRFS_IOC_FS_INFO = 0x8400_941f;
const F_SETSIG = 10;
const F_SETLEASE = 1024;
const F_GETLEASE = 1025;
const F_WRLCK = 1;
const F_UNLCK = 2;

const { EINTR } = osConstants.errno;
const emptyPath = Buffer.alloc(1);
const here = Buffer.from(".\0");

function outcome(result: number): number {
  return result >= 0 ? result : -koffi.errno();
}

/** Once more when a signal came between: nothing was done. */
function uninterrupted(call: () => number | bigint): number {
  for (;;) {
    const result = outcome(Number(call()));
    if (result !== -EINTR) return result;
  }
}

export function openAt(directory: number, name: Uint8Array, flags: number, mode = 0): number {
  return uninterrupted(() => libcOpenat(directory, name, flags | O_CLOEXEC, mode));
}

/** A read-write file without a name, for `linkOpen`. */
export function openUnnamed(directory: number, mode: number): number {
  return uninterrupted(() => libcOpenat(directory, here, O_TMPFILE | constants.O_RDWR | O_CLOEXEC, mode));
}

/** An entry by itself, whatever it is: neither read nor followed, only held. */
export function holdEntry(directory: number, name: Uint8Array): number {
  return openAt(directory, name, O_PATH | constants.O_NOFOLLOW);
}

/** Not repeated when interrupted: Linux has closed it by then. */
export function close(fd: number): number {
  return outcome(libcClose(fd));
}

export function statEntry(directory: number, name: Uint8Array, follow: boolean, into: Uint8Array): number {
  const flags = follow ? 0 : AT_SYMLINK_NOFOLLOW;
  return uninterrupted(() => libcStatx(directory, name, flags, STATX_BASIC_STATS, into.subarray(0, statxBytes)));
}

export function statOpen(fd: number, into: Uint8Array): number {
  return uninterrupted(() => libcStatx(fd, emptyPath, AT_EMPTY_PATH, STATX_BASIC_STATS, into.subarray(0, statxBytes)));
}

export function statPath(path: Uint8Array, into: Uint8Array): number {
  return statEntry(AT_FDCWD, path, true, into);
}

export function changeMode(fd: number, mode: number): number {
  return uninterrupted(() => libcFchmod(fd, mode));
}

/** -1 leaves owner or group as it is. */
export function changeOwner(fd: number, owner: number, group: number): number {
  return uninterrupted(() => libcFchown(fd, owner >>> 0, group >>> 0));
}

export function truncate(fd: number, sizeBytes: bigint): number {
  return uninterrupted(() => libcFtruncate(fd, sizeBytes));
}

/** Extends the file; where the file system cannot reserve space, libc writes to each block. */
export function allocate(fd: number, offsetBytes: bigint, lengthBytes: bigint): number {
  for (;;) {
    // The one call that returns its errno.
    const errno: number = libcPosixFallocate(fd, offsetBytes, lengthBytes);
    if (errno !== EINTR) return -errno;
  }
}

/** Leaves the size as it is, and writes nothing: EOPNOTSUPP where the file system cannot. */
export function allocateKeepingSize(fd: number, offsetBytes: bigint, lengthBytes: bigint): number {
  return uninterrupted(() => libcFallocate(fd, FALLOC_FL_KEEP_SIZE, offsetBytes, lengthBytes));
}

export function punchHole(fd: number, offsetBytes: bigint, lengthBytes: bigint): number {
  return uninterrupted(() => libcFallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offsetBytes, lengthBytes));
}

export function discardOfDevice(fd: number, offsetBytes: bigint, lengthBytes: bigint): number {
  const range = Buffer.alloc(16);
  range.writeBigUInt64LE(offsetBytes, 0);
  range.writeBigUInt64LE(lengthBytes, 8);
  return uninterrupted(() => libcIoctl(fd, BLKDISCARD, range));
}

export function sync(fd: number): number {
  return uninterrupted(() => libcFsync(fd));
}

export function syncData(fd: number): number {
  return uninterrupted(() => libcFdatasync(fd));
}

export function startWriteback(fd: number, offsetBytes: bigint, lengthBytes: bigint): number {
  return outcome(libcSyncFileRange(fd, offsetBytes, lengthBytes, SYNC_FILE_RANGE_WRITE));
}

/** The size of a file or block device. These three move the descriptor's own position. */
export function sizeOf(fd: number): number {
  return uninterrupted(() => libcLseek(fd, 0, SEEK_END));
}

/** The next byte at or after `offsetBytes` that is data; ENXIO: there is none. */
export function seekData(fd: number, offsetBytes: bigint): number {
  return uninterrupted(() => libcLseek(fd, offsetBytes, SEEK_DATA));
}

/** The next byte at or after `offsetBytes` that is in a hole; the file's end is one. */
export function seekHole(fd: number, offsetBytes: bigint): number {
  return uninterrupted(() => libcLseek(fd, offsetBytes, SEEK_HOLE));
}

/** A name for an open file, by the kernel's link to it: the other way (AT_EMPTY_PATH) takes a capability. */
export function linkOpen(fd: number, directory: number, name: Uint8Array): number {
  const path = Buffer.from(`/proc/self/fd/${fd}\0`);
  return uninterrupted(() => libcLinkat(AT_FDCWD, path, directory, name, AT_SYMLINK_FOLLOW));
}

/** A further name in the same directory. */
export function linkEntry(directory: number, from: Uint8Array, to: Uint8Array): number {
  return uninterrupted(() => libcLinkat(directory, from, directory, to, 0));
}

export function removeFile(directory: number, name: Uint8Array): number {
  return uninterrupted(() => libcUnlinkat(directory, name, 0));
}

export function removeDirectory(directory: number, name: Uint8Array): number {
  return uninterrupted(() => libcUnlinkat(directory, name, AT_REMOVEDIR));
}

export function renameWithoutReplacing(directory: number, from: Uint8Array, to: Uint8Array): number {
  return uninterrupted(() => libcRenameat2(directory, from, directory, to, RENAME_NOREPLACE));
}

/** Replaces what has the name. */
export function rename(directory: number, from: Uint8Array, to: Uint8Array): number {
  return uninterrupted(() => libcRenameat2(directory, from, directory, to, 0));
}

/** Bytes read, as many as there are before the end. */
export function readAt(fd: number, into: Uint8Array, offsetBytes: bigint): number {
  let done = 0;
  while (done < into.length) {
    const rest = into.subarray(done);
    const read = uninterrupted(() => libcPread(fd, rest, rest.length, offsetBytes + BigInt(done)));
    if (read < 0) return read;
    if (read === 0) break;
    done += read;
  }
  return done;
}

/** All of `bytes`: 0, or a negated errno. */
export function writeAt(fd: number, bytes: Uint8Array, offsetBytes: bigint): number {
  let done = 0;
  while (done < bytes.length) {
    const rest = bytes.subarray(done);
    const written = uninterrupted(() => libcPwrite(fd, rest, rest.length, offsetBytes + BigInt(done)));
    if (written < 0) return written;
    // The kernel took nothing and gave no reason.
    if (written === 0) return -osConstants.errno.EIO;
    done += written;
  }
  return 0;
}

/** Bytes copied inside the kernel, at most what one call takes (2 GiB). */
export function copyRange(
  source: number,
  sourceOffset: bigint,
  target: number,
  targetOffset: bigint,
  lengthBytes: bigint,
): number {
  const from = Buffer.alloc(8);
  const to = Buffer.alloc(8);
  from.writeBigInt64LE(sourceOffset);
  to.writeBigInt64LE(targetOffset);
  return uninterrupted(() => libcCopyFileRange(source, from, target, to, lengthBytes, 0));
}

export function setAttribute(fd: number, name: string, value: Uint8Array): number {
  return uninterrupted(() => libcFsetxattr(fd, name, value, value.length, 0));
}

/** The magic number of the file system's type (statfs(2)). */
export function fileSystemMagic(fd: number): number {
  // long f_type first; 120 bytes in all with glibc.
  const buffer = Buffer.alloc(256);
  const result = uninterrupted(() => libcFstatfs(fd, buffer));
  return result < 0 ? result : buffer.readUInt32LE(0);
}

/** The UUID of a btrfs, of any file or directory in it. */
export function btrfsUuid(fd: number): number | Buffer {
  // struct btrfs_ioctl_fs_info_args: u64 max_id, num_devices; u8 fsid[16]; …; 1024 bytes in all.
  const info = Buffer.alloc(1024);
  const result = uninterrupted(() => libcIoctl(fd, BTRFS_IOC_FS_INFO, info));
  return result < 0 ? result : info.subarray(16, 32);
}

/** Whether the file has chattr's +C. Where there are no such flags: false. */
export function isNoCopyOnWrite(fd: number): boolean {
  const flags = Buffer.alloc(8);
  return libcIoctl(fd, FS_IOC_GETFLAGS, flags) === 0 && (flags.readUInt32LE(0) & FS_NOCOW_FL) !== 0;
}

export interface Extent {
  readonly startBytes: bigint;
  readonly endBytes: bigint;
  readonly isShared: boolean;
  /** It was reserved, and nothing has been written into it, nor is anything on its way. */
  readonly isUnwritten: boolean;
  readonly isLast: boolean;
}

/**
 * The next extents at or after `offsetBytes`, after what waits to be written has been.
 *
 * struct fiemap: u64 start, length; u32 flags, mapped_extents, extent_count, reserved; then per extent u64 logical,
 * physical, length, reserved[2]; u32 flags, reserved[3].
 */
export function extentsFrom(fd: number, offsetBytes: bigint): number | readonly Extent[] {
  const headerBytes = 32;
  const extentBytes = 56;
  const count = 256;
  const map = Buffer.alloc(headerBytes + count * extentBytes);
  map.writeBigUInt64LE(offsetBytes, 0);
  map.writeBigUInt64LE(2n ** 64n - 1n - offsetBytes, 8);
  map.writeUInt32LE(0x1, 16); // FIEMAP_FLAG_SYNC
  map.writeUInt32LE(count, 24);
  const result = uninterrupted(() => libcIoctl(fd, FS_IOC_FIEMAP, map));
  if (result < 0) return result;
  return Array.from({ length: map.readUInt32LE(20) }, (_, index) => {
    const extent = headerBytes + index * extentBytes;
    const flags = map.readUInt32LE(extent + 40);
    return {
      startBytes: map.readBigUInt64LE(extent),
      endBytes: map.readBigUInt64LE(extent) + map.readBigUInt64LE(extent + 16),
      isShared: (flags & 0x2000) !== 0,
      // Unwritten, and beside it at most the last, or merged of several.
      isUnwritten: (flags & ~0x1001) === 0x800,
      isLast: (flags & 0x1) !== 0,
    };
  });
}

/**
 * A write lease (fcntl(2)): given only while nobody else has the file open, EAGAIN otherwise, and until it is given back
 * whoever opens the file waits, at most for the system's lease-break-time (45 s).
 */
export function takeLease(fd: number): number {
  // The standard signal of a lease that somebody waits for would end the process; this one is ignored.
  const set = outcome(libcFcntl(fd, F_SETSIG, osConstants.signals.SIGURG));
  return set < 0 ? set : outcome(libcFcntl(fd, F_SETLEASE, F_WRLCK));
}

/** False as soon as somebody waits for it: what is being done is to come to an end. */
export function holdsLease(fd: number): boolean {
  return libcFcntl(fd, F_GETLEASE, 0) === F_WRLCK;
}

export function returnLease(fd: number): void {
  libcFcntl(fd, F_SETLEASE, F_UNLCK);
}

/** Lets go of the processor if anything else wants it. */
export function yieldProcessor(): void {
  libcSchedYield();
}
