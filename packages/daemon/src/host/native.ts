import type { Socket } from "node:net";
import { constants as osConstants } from "node:os";
import koffi from "koffi";
import { hostError, hostErrorOfErrno } from "./errors.js";
import { EXT_MAGIC } from "./file-system-types.js";
import type { SpaceFacts } from "./host.js";

/**
 * With `system-calls.ts` the only file that calls C. What Node offers is not repeated here; these are the calls it lacks.
 *
 * Calls that may wait for a disk are asynchronous (koffi's `.async` runs them on libuv's thread pool). errno does not come
 * back from there, since it belongs to the thread that made the call. So an asynchronous call is used only where its
 * result says enough, and those whose errno matters are made synchronously by threads of our own (`local/native-calls.ts`,
 * `scan-worker.ts`). Functions ending in `Sync` are for those threads, or return at once whatever the storage does.
 *
 * Constants are those of Linux's generic ABI on little-endian 64-bit machines (x86-64, arm64, riscv64).
 */
const libc = koffi.load(null);

const libcFallocate = libc.func("int fallocate64(int, int, int64_t, int64_t)");
const libcLseek = libc.func("int64_t lseek64(int, int64_t, int)");
const libcFstatfs = libc.func("int fstatfs64(int, void *)");
const libcFgetxattr = libc.func("int64_t fgetxattr(int, const char *, void *, size_t)");
const libcGetxattr = libc.func("int64_t getxattr(const void *, const char *, void *, size_t)");
const libcIoctl = libc.func("int ioctl(int, unsigned long, int64_t)");
const libcIoctlPointer = libc.func("ioctl", "int", ["int", "unsigned long", "void *"]);
const libcFcntl = libc.func("int fcntl(int, int, void *)");
const libcGetsockopt = libc.func("int getsockopt(int, int, int, void *, void *)");
const libcStatx = libc.func("int statx(int, const void *, int, unsigned int, void *)");
const libcOpenat = libc.func("int openat64(int, const void *, int, int)");
const libcReadlink = libc.func("int64_t readlink(const void *, void *, size_t)");
const libcPread = libc.func("int64_t pread64(int, void *, size_t, int64_t)");
const libcClose = libc.func("int close(int)");
const libcRead = libc.func("int64_t read(int, void *, size_t)");
const libcInotifyInit = libc.func("int inotify_init1(int)");
const libcInotifyAddWatch = libc.func("int inotify_add_watch(int, const char *, uint32_t)");
const libcInotifyRemoveWatch = libc.func("int inotify_rm_watch(int, int)");
const libcPoll = libc.func("int poll(void *, unsigned long, int)");
const libcSyscall = libc.func("long syscall(long, long, long, void *, long)");
const libcLgetxattr = libc.func("int64_t lgetxattr(const void *, const char *, void *, size_t)");

type AsyncFunction = { async: (...args: unknown[]) => void };

function asyncResult(callee: AsyncFunction, ...args: unknown[]): Promise<number | bigint> {
  return new Promise((resolve, reject) => {
    callee.async(...args, (failure: unknown, result: number | bigint) => {
      if (failure) reject(hostError("EIO", "A native call could not be made", failure));
      else resolve(result);
    });
  });
}

// --- asynchronous: the result says enough -----------------------------------------------------------------------------

const keepSize = 0x01;
const punchHoleMode = 0x02 | keepSize;
const zeroRangeMode = 0x10 | keepSize;

/** Frees the blocks of a range. false: not done, whatever the reason; the caller writes zeros, and sees the reason there. */
export async function punchHole(fd: number, offsetBytes: bigint, lengthBytes: bigint): Promise<boolean> {
  return Number(await asyncResult(libcFallocate, fd, punchHoleMode, offsetBytes, lengthBytes)) === 0;
}

/** Makes a range read as zeros without writing it. false as in `punchHole`. */
export async function zeroRange(fd: number, offsetBytes: bigint, lengthBytes: bigint): Promise<boolean> {
  return Number(await asyncResult(libcFallocate, fd, zeroRangeMode, offsetBytes, lengthBytes)) === 0;
}

/** SEEK_DATA; null: none after `offsetBytes`, or the file system failed to tell. Moves the descriptor's own position. */
export async function seekData(fd: number, offsetBytes: bigint): Promise<bigint | null> {
  const position = BigInt(await asyncResult(libcLseek, fd, offsetBytes, 3));
  return position < 0n ? null : position;
}

/** SEEK_HOLE, as `seekData`. */
export async function seekHole(fd: number, offsetBytes: bigint): Promise<bigint | null> {
  const position = BigInt(await asyncResult(libcLseek, fd, offsetBytes, 4));
  return position < 0n ? null : position;
}

/** SEEK_END: the size of a file or block device. The kernel knows it: nothing is waited for. null where there is none. */
export function sizeSync(fd: number): bigint | null {
  const size = BigInt(libcLseek(fd, 0, 2));
  return size < 0n ? null : size;
}

/** SEEK_SET, which only asks whether the file system can have such an offset. Returns an errno, 0 for success. */
export function checkOffsetSync(fd: number, offsetBytes: bigint): number {
  return BigInt(libcLseek(fd, offsetBytes, 0)) < 0n ? koffi.errno() : 0;
}

/** statfs, in bytes; null when it failed. Node's `statfs` lacks f_frsize, the unit of the block counts. */
export async function space(fd: number): Promise<SpaceFacts | null> {
  // long f_type, f_bsize; f_blocks, f_bfree, f_bavail, f_files, f_ffree, f_fsid; long f_namelen, f_frsize, …: eight bytes
  // each; 120 in all with glibc.
  const buffer = Buffer.alloc(256);
  if (Number(await asyncResult(libcFstatfs, fd, buffer)) !== 0) return null;
  const fragment = buffer.readBigUInt64LE(72) || buffer.readBigUInt64LE(8);
  const freeBytes = fragment * buffer.readBigUInt64LE(24);
  const mayUseReserve = buffer.readUInt32LE(0) === EXT_MAGIC && process.geteuid?.() === 0;
  return {
    capacityBytes: fragment * buffer.readBigUInt64LE(16),
    freeBytes,
    usableBytes: mayUseReserve ? freeBytes : fragment * buffer.readBigUInt64LE(32),
    ...(buffer.readBigUInt64LE(40) > 0n ? { freeInodes: buffer.readBigUInt64LE(48) } : {}),
  };
}

/** Where SELinux keeps labels. */
export const labelAttribute = "security.selinux";
const labelBytes = 4_096;

// --- synchronous, for threads of our own: errno is exact ------------------------------------------------------------

const FICLONE = 0x4004_9409;
const FS_IOC_GETFLAGS = 0x8008_6601;
const FS_IOC_SETFLAGS = 0x4008_6602;
const FS_NOCOW_FL = 0x0080_0000;

/** Shares all of `source`'s blocks with `target`. Returns an errno, 0 for success. */
export function cloneSync(target: number, source: number): number {
  return libcIoctl(target, FICLONE, source) === 0 ? 0 : koffi.errno();
}

/** chattr +C / -C. Returns an errno, 0 for success. */
export function setNoCopyOnWriteSync(fd: number, value: boolean): number {
  const flags = Buffer.alloc(8);
  if (libcIoctlPointer(fd, FS_IOC_GETFLAGS, flags) !== 0) return koffi.errno();
  const before = flags.readInt32LE(0);
  const after = value ? before | FS_NOCOW_FL : before & ~FS_NOCOW_FL;
  if (before === after) return 0;
  flags.writeInt32LE(after, 0);
  return libcIoctlPointer(fd, FS_IOC_SETFLAGS, flags) === 0 ? 0 : koffi.errno();
}

/** Flags of `openat` that Node's constants share; O_CLOEXEC it adds itself. */
const O_CLOEXEC = 0o2000000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;
const emptyPath = Buffer.alloc(1);

/** A descriptor, or a negated errno. `name` ends with a zero byte. */
export function openAtSync(directory: number, name: Uint8Array, flags: number): number {
  const fd: number = libcOpenat(directory, name, flags | O_CLOEXEC, 0);
  return fd >= 0 ? fd : -koffi.errno();
}

/** Of an entry, not following a symlink. Returns an errno, 0 for success. `name` ends with a zero byte. */
export function statEntrySync(directory: number, name: Uint8Array, into: Uint8Array): number {
  return libcStatx(directory, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, into) === 0 ? 0 : koffi.errno();
}

/** Of what an entry leads to, following symlinks. Returns an errno, 0 for success. `name` ends with a zero byte. */
export function statTargetSync(directory: number, name: Uint8Array, into: Uint8Array): number {
  return libcStatx(directory, name, 0, STATX_BASIC_STATS, into) === 0 ? 0 : koffi.errno();
}

/** Of an open file. Returns an errno, 0 for success. */
export function statOpenSync(fd: number, into: Uint8Array): number {
  return libcStatx(fd, emptyPath, AT_EMPTY_PATH, STATX_BASIC_STATS, into) === 0 ? 0 : koffi.errno();
}

/** Bytes read, or a negated errno. */
export function readAtSync(fd: number, into: Uint8Array, offsetBytes: number): number {
  const length = Number(libcPread(fd, into, into.length, offsetBytes));
  return length >= 0 ? length : -koffi.errno();
}

/** The content of the symlink at a path that ends with a zero byte; null where it cannot be read. */
export function readLinkSync(path: Uint8Array): Buffer | null {
  const buffer = Buffer.allocUnsafe(4_096);
  const length = Number(libcReadlink(path, buffer, buffer.length));
  return length < 0 ? null : buffer.subarray(0, length);
}

export function labelSync(fd: number): string | null {
  const buffer = Buffer.allocUnsafe(labelBytes);
  return labelFrom(buffer, Number(libcFgetxattr(fd, labelAttribute, buffer, labelBytes)));
}

/** The same of a path that ends with a zero byte. */
export function labelOfPathSync(path: Uint8Array, follow: boolean): string | null {
  const buffer = Buffer.allocUnsafe(labelBytes);
  const call = follow ? libcGetxattr : libcLgetxattr;
  return labelFrom(buffer, Number(call(path, labelAttribute, buffer, labelBytes)));
}

export function closeSync(fd: number): void {
  libcClose(fd);
}

/** struct statx: the same on every architecture, unlike struct stat. Offsets in bytes. */
export const statxBytes = 256;
export const statxOffsets = {
  blockSize: 4,
  owner: 20,
  group: 24,
  /** 16 bits: type and permissions. */
  mode: 28,
  inode: 32,
  size: 40,
  /** Of 512 bytes. */
  blocks: 48,
  /** Each time: int64 seconds, uint32 nanoseconds. */
  access: 64,
  change: 96,
  modification: 112,
  nodeMajor: 128,
  nodeMinor: 132,
  deviceMajor: 136,
  deviceMinor: 140,
} as const;

// --- synchronous, never waiting ---------------------------------------------------------------------------------------

const POLLPRI = 2;
const POLLHUP = 16;
/** struct pollfd: int fd, short events, short revents. Nothing else is called while it is used. */
const pollQuestion = Buffer.alloc(8);

/**
 * Whether the mount table has changed since it was opened, or since the last such question of this descriptor: the kernel
 * notes it (proc(5), mountinfo), and telling takes no look at any file system.
 */
export function mountTableChangedSync(fd: number): boolean {
  return poll(fd, POLLPRI) !== 0;
}

/** Whether the other end of a connected socket is closed, also while there is something left to read. */
export function peerHungUp(socket: Socket): boolean {
  const fd = descriptorOf(socket);
  // POLLHUP need not be asked for.
  return fd === null || (poll(fd, 0) & POLLHUP) !== 0;
}

/** Which events have come to a descriptor; all that were asked for where that cannot be found out. */
function poll(fd: number, events: number): number {
  pollQuestion.writeInt32LE(fd, 0);
  pollQuestion.writeInt16LE(events, 4);
  const ready = libcPoll(pollQuestion, 1, 0);
  if (ready < 0) return events;
  return ready === 0 ? 0 : pollQuestion.readInt16LE(6);
}

/** inotify(7). */
export const notifications = {
  IN_CLOSE_WRITE: 0x8,
  IN_MOVED_TO: 0x80,
  IN_CREATE: 0x100,
  IN_DELETE_SELF: 0x400,
  IN_MOVE_SELF: 0x800,
  IN_UNMOUNT: 0x2000,
  IN_Q_OVERFLOW: 0x4000,
  IN_IGNORED: 0x8000,
  IN_ONLYDIR: 0x100_0000,
} as const;

const IN_NONBLOCK = 0o4000;

/** A queue of what happens in directories, or a negated errno. */
export function openNotificationsSync(): number {
  const fd: number = libcInotifyInit(IN_NONBLOCK | O_CLOEXEC);
  return fd >= 0 ? fd : -koffi.errno();
}

/** The number of the watch, the same for the same directory, or a negated errno. */
export function watchSync(queue: number, path: string, events: number): number {
  const number: number = libcInotifyAddWatch(queue, path, events);
  return number >= 0 ? number : -koffi.errno();
}

export function unwatchSync(queue: number, number: number): void {
  libcInotifyRemoveWatch(queue, number);
}

/** Bytes of whole notes; a negated errno when there are none. */
export function readNotificationsSync(queue: number, into: Uint8Array): number {
  const length = Number(libcRead(queue, into, into.length));
  return length >= 0 ? length : -koffi.errno();
}

const F_GETLK = 5;
const F_SETLK = 6;
const F_WRLCK = 1;
const F_UNLCK = 2;

/**
 * Takes a POSIX write lock on byte 0, as libvirt's daemons do with their pid files. The lock belongs to this process and
 * falls when it closes any descriptor of the file: open a lock file once only.
 */
export function lockFile(fd: number): "locked" | { readonly heldBy: number } {
  if (libcFcntl(fd, F_SETLK, recordLock(F_WRLCK)) === 0) return "locked";
  const errno = koffi.errno();
  const held = recordLock(F_WRLCK);
  if (libcFcntl(fd, F_GETLK, held) !== 0) throw hostErrorOfErrno(errno, "A lock file cannot be locked");
  // Freed between both calls: once more, now for good.
  if (held.readInt16LE(0) === F_UNLCK) {
    if (libcFcntl(fd, F_SETLK, recordLock(F_WRLCK)) === 0) return "locked";
    throw hostErrorOfErrno(koffi.errno(), "A lock file cannot be locked");
  }
  return { heldBy: held.readInt32LE(24) };
}

/** Gives the lock of `lockFile` back. */
export function unlockFile(fd: number): void {
  libcFcntl(fd, F_SETLK, recordLock(F_UNLCK));
}

const SYS_PIDFD_SEND_SIGNAL = 424;
const SYS_PIDFD_OPEN = 434;

/**
 * A handle that stays with this process when its number is another's. null: there is no such process, or the kernel knows no
 * such handles (before 5.3). To be closed by `closeSync`.
 */
export function openProcessSync(pid: number): number | null {
  const handle = Number(libcSyscall(SYS_PIDFD_OPEN, pid, 0, null, 0));
  return handle < 0 ? null : handle;
}

/** SIGKILL. One that has ended is left alone. */
export function killProcessSync(handle: number): void {
  libcSyscall(SYS_PIDFD_SEND_SIGNAL, handle, osConstants.signals.SIGKILL, null, 0);
}

/** struct flock: short type, short whence, (padding), int64 start, int64 length, int32 pid. Of byte 0, length 1. */
function recordLock(type: number): Buffer {
  const lock = Buffer.alloc(32);
  lock.writeInt16LE(type, 0);
  lock.writeBigInt64LE(1n, 16);
  return lock;
}

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Who connected a unix socket, as the kernel noted it then (SO_PEERCRED). */
export function peerCredentials(fd: number): PeerCredentials {
  const credentials = Buffer.alloc(12);
  const length = Buffer.alloc(4);
  length.writeInt32LE(12, 0);
  if (libcGetsockopt(fd, 1, 17, credentials, length) !== 0) {
    throw hostErrorOfErrno(koffi.errno(), "The caller of a socket cannot be identified");
  }
  return { pid: credentials.readInt32LE(0), uid: credentials.readUInt32LE(4), gid: credentials.readUInt32LE(8) };
}

/** The same of a connected `net.Socket`. */
export function peerCredentialsOf(socket: Socket): PeerCredentials {
  const fd = descriptorOf(socket);
  if (fd !== null) return peerCredentials(fd);
  throw hostError("ENOTCONN", "The caller of a socket that is already closed cannot be identified");
}

/** null: it is closed. Node has no public way to a socket's descriptor; `_handle.fd` has been there since 0.x. */
function descriptorOf(socket: Socket): number | null {
  const handle: unknown = "_handle" in socket ? socket._handle : null;
  if (typeof handle !== "object" || handle === null || !("fd" in handle)) return null;
  return typeof handle.fd === "number" && handle.fd >= 0 ? handle.fd : null;
}

function labelFrom(buffer: Buffer, length: number): string | null {
  if (length <= 0) return null;
  // Stored with its terminating zero byte.
  return buffer.toString("utf8", 0, buffer[length - 1] === 0 ? length - 1 : length);
}
