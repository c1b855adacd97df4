import type { CancelSignal } from "../cancel-signal.js";
/**
 * The door to storage. Everything the daemon does with files, directories, programs and devices passes here, as
 * asynchronous calls that take and give plain data. Names inside a directory are given as (directory handle, name);
 * a path string is accepted only where an administrator's document is the origin of the whole path (a pool's target).
 *
 * There are two homes behind this interface: in-process for local file systems, a child process for storage that can
 * hang (FUSE, NFS, CIFS, Ceph, Gluster). `Hosts.forPath` chooses one without touching the storage itself.
 *
 * Names and paths are JavaScript strings in which a byte that is not UTF-8 stands as U+DC80 + (byte - 0x80), as in
 * `@cistern/protocol` (Python's surrogateescape), so that every file name on Linux has exactly one spelling.
 *
 * Failures are `HostError`s. No call waits for ever: a call that outlives its deadline ends with ETIMEDOUT.
 */

export type FileKind = "file" | "directory" | "symlink" | "block" | "character" | "fifo" | "socket";

export interface FileFacts {
  readonly kind: FileKind;
  /** st_size. Of a block device: its size where it was opened (`File.facts`, `scan`), else 0. */
  readonly sizeBytes: bigint;
  /** st_blocks × 512. */
  readonly allocatedBytes: bigint;
  /** st_blksize. */
  readonly blockSizeBytes: number;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly owner: number;
  readonly group: number;
  readonly device: bigint;
  readonly inode: bigint;
  /** st_rdev: which device a node is of, by whatever path; 0 for what is none. */
  readonly deviceNumber: bigint;
  readonly accessNs: bigint;
  readonly modificationNs: bigint;
  readonly changeNs: bigint;
  /** SELinux label (`security.selinux`), null where the file system has none. */
  readonly label: string | null;
}

/** Of a file system, in bytes: f_frsize × f_blocks, × f_bfree. */
export interface SpaceFacts {
  readonly capacityBytes: bigint;
  readonly freeBytes: bigint;
  /**
   * What of the free space this process may fill: f_bavail. Of ext2, ext3 and ext4 root may also have what is kept for it
   * (f_bfree); what btrfs keeps for its own trees nobody may.
   */
  readonly usableBytes: bigint;
  /** Without an inode there are no new files, however much is free. Absent: there is no fixed number of them. */
  readonly freeInodes?: bigint;
}

export interface CallOptions {
  readonly signal?: CancelSignal;
  /** Overrides the host's deadline for this call. */
  readonly timeoutMs?: number;
}

export interface OpenDirectoryOptions extends CallOptions {
  /**
   * The opening may be left to the first call that is made with the directory, which then fails as the opening would have.
   * It saves a trip to the storage where one call is all that is wanted. Programs cannot be given such a directory.
   */
  readonly lazily?: boolean;
}

export interface ReadOptions extends CallOptions {
  /**
   * Memory of at least the wanted length that may be used instead of new one: what is returned may be a view of it. After a
   * failure it is not to be used again, since a read that came too late may still be writing there.
   */
  readonly into?: Uint8Array;
}

/** A user of this machine, as servers are told who calls. */
export interface Identity {
  readonly owner: number;
  readonly group: number;
}

export interface Host {
  /** "local", or "remote" for the child process. */
  readonly home: "local" | "remote";
  /** Opens a directory by the path an administrator gave; symlinks in it are followed. */
  openDirectory(path: string, options?: OpenDirectoryOptions): Promise<Directory>;
  /** Facts of a path an administrator gave, following symlinks. */
  facts(path: string, options?: CallOptions): Promise<FileFacts>;
  /** Opens a file by a path an administrator (or an image's own header, for backing stores) gave. Follows symlinks. */
  openFile(path: string, access: FileAccess, options?: CallOptions): Promise<File>;
  /** mkdir -p with 0777 & ~umask for missing parents. The last component must not exist unless `existing` is allowed. */
  makeDirectories(path: string, options?: CallOptions): Promise<void>;
  /** mkdir of one directory whose parent exists; EEXIST is an error. */
  makeDirectory(path: string, mode: number, options?: CallOptions): Promise<void>;
  removeDirectory(path: string, options?: CallOptions): Promise<void>;
  run(command: Command, options?: RunOptions): Promise<CommandResult>;
  /**
   * What is mounted just at this path, symlinks followed; null: it is no mount point. Asks no storage that can hang, so that
   * it can be told of a server that does not answer.
   */
  mountAt(path: string, options?: CallOptions): Promise<MountFacts | null>;
  /**
   * Where a path leads: without symlinks and dots, as far as there is something; from where storage that can hang begins, as it
   * was given. Asks no such storage.
   */
  realPath(path: string, options?: CallOptions): Promise<string>;
  /**
   * A host may keep a directory open for a moment after it was closed, for whoever asks for it again; then its file system
   * cannot be unmounted. This ends it for the directory at `path`. To be called when a pool is done with its storage.
   */
  letGo?(path: string): Promise<void>;
  /**
   * The home of a path in which another user makes the calls: a server may refuse root what it lets the owner do
   * (root_squash). On this machine's own storage, and for the commands that are run there, it keeps root's power to read
   * and write. null: there is nothing to gain (local storage obeys root), or this process may not become somebody else.
   */
  as?(path: string, identity: Identity): Promise<Host | null>;
}

export interface MountFacts {
  readonly mountPoint: string;
  /** As the kernel names it: "nfs4", "ext4", "fuse.glusterfs". */
  readonly type: string;
  /** What was given to mount: a device, "host:/export". */
  readonly source: string;
}

/**
 * `exclusive`: to read and write, and of a block device only while nothing else is built on it (a mounted file system, LVM,
 * RAID; of a disk also of its partitions): EBUSY.
 */
export type FileAccess = "read" | "write" | "read-write" | "exclusive";

export interface Directory extends AsyncDisposable {
  readonly host: Host;
  /** As it was opened: for messages and documents only. */
  readonly path: string;
  facts(options?: CallOptions): Promise<FileFacts>;
  /** Which directory it is, whatever it is called now. Where that is known from opening it, it costs no trip. */
  identity(options?: CallOptions): Promise<DirectoryIdentity>;
  /**
   * From now on every call fails with ESTALE if the directory is another one than this. Where it was opened lazily, that may
   * only be found out by the next call.
   */
  insist(identity: DirectoryIdentity, options?: CallOptions): Promise<void>;
  space(options?: CallOptions): Promise<SpaceFacts>;
  /**
   * What of the usable space the file system will give to nobody, because it may need it itself (ext4: at most 4,096 clusters);
   * 0 where it does not say. To be asked only where so little decides: `space` has it from one call, this takes several.
   */
  keptBytes(options?: CallOptions): Promise<bigint>;
  /**
   * Which file system it lies on, to be compared while this machine runs: two directories with one answer share their space.
   * Other than device numbers, it is one for all subvolumes of a btrfs.
   */
  fileSystem(options?: CallOptions): Promise<string>;
  /** Names in the directory without "." and "..", unsorted. */
  names(options?: CallOptions): Promise<string[]>;
  /**
   * All entries with facts and the first bytes of regular files and block devices, in batches; see `ScanRequest`. What is
   * only being made (`temporaryName`, `writeFileAtomically`) is left out.
   */
  scan(request: ScanRequest, options?: CallOptions): AsyncIterable<readonly ScannedEntry[]>;
  /**
   * Notices from now on what happens in the directory, as long as it is watched. Absent, or null: the kernel does not tell,
   * or has no more watches to give.
   */
  watch?(options?: CallOptions): Promise<NameWatch | null>;
  /** `follow`: default true. */
  lookup(name: string, options?: CallOptions & { readonly follow?: boolean }): Promise<FileFacts>;
  readLink(name: string, options?: CallOptions): Promise<string>;
  /**
   * Facts and first bytes of an entry at once. The head (up to `headBytes`, shorter at the end of the file only) is null for
   * what is neither a regular file nor a block device. A look leaves no access time where the system lets it. ELOOP for a
   * symlink, unless `follow` (default false) is given.
   */
  look(name: string, headBytes: number, options?: CallOptions & { readonly follow?: boolean }): Promise<EntryLook>;
  open(name: string, request: OpenRequest, options?: CallOptions): Promise<File>;
  /**
   * A new read-write file that has no name: nobody can open it, and it is gone when it is closed, or when the daemon or the
   * machine ends, unless `publish` gives it a name. EOPNOTSUPP where the file system has no such files. Its `path` is the
   * directory's. Of a failure, `step` says what could not be done; nothing is left then.
   */
  createUnnamed(request: NewFileRequest, options?: CallOptions): Promise<File>;
  /** The same under a name, which must not exist (EEXIST); no symlink is followed. */
  createNamed(name: string, request: NewFileRequest, options?: CallOptions): Promise<File>;
  /**
   * A new small file in one trip: as `createUnnamed`, its content, `publish` and an fsync. It is there whole, or nothing of it.
   * `sizeBytes` of the request is its length. EOPNOTSUPP of step "create" as with `createUnnamed`.
   */
  createWhole(
    name: string,
    request: NewFileRequest,
    content: readonly ContentPiece[],
    options?: CallOptions,
  ): Promise<FileFacts>;
  /**
   * Gives a file of `createUnnamed` its name, never replacing anything: EEXIST. It must have been made in this directory, or
   * at least by its host in its file system (EXDEV). Answers its facts. A failure of `step` "sync" leaves the name.
   */
  publish(file: File, name: string, options?: CallOptions & PublishOptions): Promise<FileFacts>;
  /**
   * Renames a file or directory, never replacing anything: EEXIST. (On file systems that have neither such a rename nor
   * hard links, a file that comes in between is replaced.) Facts and failures as with `publish`. A file is better closed
   * before: FUSE may keep its temporary name, under another one, until then.
   */
  publishEntry(temporaryName: string, name: string, options?: CallOptions & PublishOptions): Promise<FileFacts>;
  /** Does not follow a symlink: ENOTDIR. */
  openDirectory(name: string, options?: CallOptions): Promise<Directory>;
  makeDirectory(name: string, mode: number, options?: CallOptions): Promise<void>;
  removeFile(name: string, options?: CallOptions): Promise<void>;
  removeDirectory(name: string, options?: CallOptions): Promise<void>;
  rename(from: string, to: string, options?: CallOptions): Promise<void>;
  symlink(name: string, content: string, options?: CallOptions): Promise<void>;
  /** Whole content of a small file; EFBIG when it is longer than `limitBytes`. */
  readFile(name: string, limitBytes: number, options?: CallOptions): Promise<Uint8Array>;
  /** Replaces a file as one step that survives a power cut: temporary file, fsync, rename, fsync of the directory. */
  writeFileAtomically(name: string, content: Uint8Array, mode: number, options?: CallOptions): Promise<void>;
  /** fsync: entries made, removed and renamed before survive a power cut. */
  sync(options?: CallOptions): Promise<void>;
  /** As of a file. */
  setLabel(label: string, options?: CallOptions): Promise<void>;
  changeMode(mode: number, options?: CallOptions): Promise<void>;
  /** -1 leaves owner or group as it is. */
  changeOwner(owner: number, group: number, options?: CallOptions): Promise<void>;
  /** The FS_NOCOW flag; `EOPNOTSUPP` (or ENOTTY/ENOSYS as the kernel says) where the file system has none. */
  setNoCopyOnWrite(value: boolean, options?: CallOptions): Promise<void>;
  close(): Promise<void>;
}

/**
 * Names of a directory under which something appeared, or was closed by whoever could write to it, in this process or another.
 * What is only being made (`temporaryName`) is left out.
 */
export interface NameWatch {
  /** Those that were not told yet; null: some may have been missed, and nothing more is noticed. The kernel has noted them. */
  taken(): Iterable<string> | null;
  close(): void;
}

export interface ScanRequest {
  /** Bytes wanted from the start of each regular file or block device; trailing zero bytes are not given. */
  readonly headBytes: number;
  /** Further small windows, e.g. the ISO 9660 magic at 32769. */
  readonly windows: readonly { readonly offset: number; readonly length: number }[];
  /** What an earlier scan saw, by name: an entry whose evidence is equal is given without `head`. */
  readonly known?: ReadonlyMap<string, ScanEvidence>;
}

/** Enough to see that a regular file was not touched since: any write changes ctime. */
export interface ScanEvidence {
  readonly device: bigint;
  readonly inode: bigint;
  readonly sizeBytes: bigint;
  readonly modificationNs: bigint;
  readonly changeNs: bigint;
}

export interface ScannedEntry {
  readonly name: string;
  /** The entry itself is a symlink; `facts` are those of what it leads to. */
  readonly isSymlink: boolean;
  /**
   * null: the entry cannot be used; `errno` says why (dangling symlink, vanished, not permitted; ETIMEDOUT for a symlink
   * to storage that does not answer). An unchanged entry's label is not looked up: it cannot change without ctime.
   */
  readonly facts: FileFacts | null;
  readonly errno: number;
  /** null: not read, because `evidence` equals the known one, or the kind has no content. */
  readonly head: Uint8Array | null;
  readonly windows: readonly Uint8Array[];
  /**
   * null where a later scan may not trust it: not a regular file, reached by a symlink, or changed so shortly before the
   * scan that the clock may not tell a further write apart. Of an unchanged entry: the known evidence.
   */
  readonly evidence: ScanEvidence | null;
}

export interface OpenRequest {
  readonly access: FileAccess;
  /** "exclusive": the file must not exist, no symlink is followed (O_CREAT|O_EXCL). */
  readonly create?: "exclusive";
  /** Of a created file, applied whatever the umask says. */
  readonly mode?: number;
  /** Default true, except with `create`. */
  readonly follow?: boolean;
}

/** The directory itself, whatever path leads to it. */
export interface DirectoryIdentity {
  readonly device: bigint;
  readonly inode: bigint;
}

export interface EntryLook {
  readonly facts: FileFacts;
  readonly head: Uint8Array | null;
}

/** What a new file is from its first byte on. */
export interface NewFileRequest {
  /** Exactly these permission bits, whatever the umask says; until it has them, only its owner may read and write. */
  readonly mode: number;
  /** -1: the daemon's own. */
  readonly owner: number;
  readonly group: number;
  /** `security.selinux`; null: none is set. Where the file system takes none: EOPNOTSUPP, step "label". */
  readonly label: string | null;
  /** Default 0; all of it is a hole. */
  readonly sizeBytes?: bigint;
  /** The FS_NOCOW flag, as `File.setNoCopyOnWrite` sets it. */
  readonly noCopyOnWrite?: boolean;
  /** The name that it is going to have: for messages, and for programs that write their file's name into it. */
  readonly shownAs?: string;
}

/** A piece of a file: `bytes`, and zeros behind them up to `lengthBytes`. */
export interface ContentPiece {
  readonly offsetBytes: bigint;
  readonly bytes: Uint8Array;
  readonly lengthBytes: number;
}

export interface PublishOptions {
  /**
   * What is to survive a power cut when the call is back. "file" (fsync): its content, and on journaling file systems its
   * name as well. "directory": also an fsync of the directory. Default "none". Whoever has written much calls
   * `File.syncData` first, so that this is short.
   */
  readonly sync?: "none" | "file" | "directory";
}

export interface File extends AsyncDisposable {
  readonly host: Host;
  /** For messages only. */
  readonly path: string;
  facts(options?: CallOptions): Promise<FileFacts>;
  /** The size of a regular file, or of the block device. */
  sizeBytes(options?: CallOptions): Promise<bigint>;
  /** EINVAL for an offset that the file system can never have (what lseek refuses). */
  checkOffset(offsetBytes: bigint, options?: CallOptions): Promise<void>;
  /** Up to `lengthBytes`; shorter at the end of the file only. */
  read(offsetBytes: bigint, lengthBytes: number, options?: ReadOptions): Promise<Uint8Array>;
  /** All of `bytes`, or an error. */
  write(offsetBytes: bigint, bytes: Uint8Array, options?: CallOptions): Promise<void>;
  truncate(sizeBytes: bigint, options?: CallOptions): Promise<void>;
  /**
   * posix_fallocate: reserves space, extends the file. With `keepSize` it does not extend it, and is EOPNOTSUPP where the
   * file system cannot reserve; without, the file system's lack is made up for by writing zeros. One call of the system,
   * which runs on when it is given up.
   */
  allocate(offsetBytes: bigint, lengthBytes: bigint, options?: AllocateOptions): Promise<void>;
  /** Makes a range read as zeros, freeing space where the file system can; never extends the file. */
  zero(offsetBytes: bigint, lengthBytes: bigint, options?: CallOptions & BulkOptions): Promise<void>;
  /** Writes zeros over a range (a wipe: no hole is punched), in large blocks, with progress. */
  overwriteWithZeros(offsetBytes: bigint, lengthBytes: bigint, options?: BulkOptions): Promise<void>;
  /**
   * The next byte at or after `offsetBytes` that is data (or in a hole), null when there is none before the end.
   * Where the file system cannot tell, everything is data.
   */
  seekData(offsetBytes: bigint, options?: CallOptions): Promise<bigint | null>;
  seekHole(offsetBytes: bigint, options?: CallOptions): Promise<bigint>;
  /**
   * Where the file has data from an offset on, in order, as many ranges as one look gives; none: there are no more. As
   * `seekData` and `seekHole` say it, many times as fast.
   */
  dataFrom(offsetBytes: bigint, options?: CallOptions): Promise<readonly ByteRange[]>;
  /**
   * Where the file has blocks from an offset on, in order, as many ranges as one look gives; none: there are no more. Other
   * than data, blocks that were reserved or zeroed without being written count: what was in them is still on the disk.
   * null: it cannot be told.
   */
  blocksFrom(offsetBytes: bigint, options?: CallOptions): Promise<readonly ByteRange[] | null>;
  /** FICLONE of all of `source`. */
  cloneFrom(source: File, options?: CallOptions): Promise<void>;
  /**
   * One step of a copy: at most `lengthBytes`, inside the kernel where both files' storage can, else by reading and writing.
   * In the kernel some file systems share the blocks instead; see `mayShare`. 0 bytes only at the source's end. Whoever copies
   * more asks again (in steps of `hostLimits.bulkStepBytes`), so that progress, pace and giving up are his.
   */
  copyRange(
    source: File,
    sourceOffset: bigint,
    targetOffset: bigint,
    lengthBytes: bigint,
    options?: CopyOptions,
  ): Promise<CopiedRange>;
  /**
   * One step of a wipe: writes over a range, whatever was there, zeros or bytes that nobody can tell. Extends the file as
   * any writing does. In steps of `hostLimits.bulkStepBytes`, as with `copyRange`.
   */
  overwrite(offsetBytes: bigint, lengthBytes: bigint, pattern: WipePattern, options?: CallOptions): Promise<void>;
  /** Gives the range's blocks back (a hole; of a block device, what it discards). EOPNOTSUPP where it cannot. */
  discard(offsetBytes: bigint, lengthBytes: bigint, options?: CallOptions): Promise<void>;
  /**
   * Gives back those of a regular file's blocks in the range that were reserved and never written, and while nobody else has
   * the file open, so that nothing is lost that another is just writing: EAGAIN where somebody has, EOPNOTSUPP or EINVAL
   * where the file system cannot tell. Only this machine's others are known.
   */
  discardUnwritten(offsetBytes: bigint, lengthBytes: bigint, options?: CallOptions): Promise<void>;
  /** fsync. */
  sync(options?: CallOptions): Promise<void>;
  /** fdatasync: all that is needed to read the content again. */
  syncData(options?: CallOptions): Promise<void>;
  /** Lets the kernel begin to write a range to disk, so that a later sync is short. Never fails. */
  startWriteback(offsetBytes: bigint, lengthBytes: bigint): Promise<void>;
  /** `security.selinux`. EOPNOTSUPP where the file system takes none. */
  setLabel(label: string, options?: CallOptions): Promise<void>;
  storageTraits(options?: CallOptions): Promise<StorageTraits>;
  changeMode(mode: number, options?: CallOptions): Promise<void>;
  changeOwner(owner: number, group: number, options?: CallOptions): Promise<void>;
  setNoCopyOnWrite(value: boolean, options?: CallOptions): Promise<void>;
  close(): Promise<void>;
}

export interface ByteRange {
  readonly startBytes: bigint;
  /** Of blocks, it may be behind the file's end. */
  readonly endBytes: bigint;
}

export interface CopiedRange {
  readonly copiedBytes: bigint;
  /** How: "buffered" is by reading and writing. */
  readonly way: "kernel" | "buffered";
}

export type WipePattern = "zeros" | "random";

/** What writing over old data means where a file lies. */
export interface StorageTraits {
  /** The file system writes elsewhere, so that what was overwritten is still on the disk for a while. */
  readonly copyOnWrite: boolean;
  /** Some of the file's blocks are also another's (a reflink, a snapshot), which keeps them. null: cannot be told. */
  readonly sharesBlocks: boolean | null;
}

export type CopyOptions = CallOptions & {
  /** false: the copy gets blocks of its own, and is read and written wherever the kernel might share them. Default true. */
  readonly mayShare?: boolean;
};

export type AllocateOptions = CallOptions & { readonly keepSize?: boolean };

export interface BulkOptions {
  readonly signal?: CancelSignal;
  readonly progress?: (doneBytes: bigint, totalBytes: bigint) => void;
}

/** A command as data, so that every command line is tested without running it. */
export interface Command {
  /** Absolute path, or a bare name searched in the host's PATH. */
  readonly program: string;
  readonly args: readonly CommandArgument[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Something goes on in the background when it has ended, and is to outlive this process (the server of a FUSE mount). */
  readonly leavesRunning?: boolean;
}
/**
 * A file is passed to a program by inherited descriptor, never by a path that somebody could swap.
 * `in` + `name`: an entry of an open directory, through `/proc/self/fd/N/name`.
 * `file` + `name`: an open file under a private alias directory in which `name` leads to `/proc/self/fd/N`, because some
 * formats (vmdk) write the file's base name into the image.
 * `unshown`: an argument that is passed, but left out of the line that messages show.
 * In messages both kinds of files stand as the path a person would write; `before` and `after` are put around it ("file.filename=").
 * `escapesCommas`: the argument is an option list of qemu's, in which every comma of the path, wherever it leads, is written
 * twice; `name` is the file's own all the same.
 */
export type CommandArgument =
  | string
  | { readonly unshown: string }
  | (PathPlacement & { readonly in: Directory; readonly name: string })
  | (PathPlacement & { readonly file: File; readonly name: string });

/** How a path stands in an argument. */
export interface PathPlacement {
  readonly before?: string;
  readonly after?: string;
  readonly escapesCommas?: boolean;
}

export interface RunOptions extends CallOptions {
  /** Bytes kept of each of stdout and stderr; default a named limit. */
  readonly outputLimitBytes?: number;
  readonly input?: Uint8Array;
  /** Told as soon as the program runs. */
  readonly started?: (child: StartedProgram) => void;
  /** Told what the program writes to stdout as it comes, in whatever pieces, all of it. */
  readonly output?: (text: string) => void;
}

/** Enough to know a process again: a pid alone may be another's by then. */
export interface StartedProgram {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks since the machine started. */
  readonly startTime: string;
}

export interface CommandResult {
  /** The line as a person would type it, for messages. */
  readonly line: string;
  /** null: ended by a signal. */
  readonly exitStatus: number | null;
  readonly signal: string | null;
  /** Alias and descriptor paths are already replaced by the real ones. */
  readonly stdout: string;
  readonly stderr: string;
}

/** Steps of calls that do several things at once. */
export type HostStep = "create" | "owner" | "mode" | "label" | "size" | "write" | "allocate" | "link" | "sync";

/** A failed call to the operating system. The caller says what it was doing; this says why it failed. */
export class HostError extends Error {
  override readonly name = "HostError";
  readonly errno: number;
  /** ENOENT, EACCES, … */
  readonly code: string;
  /** Which step of a compound call failed. */
  declare readonly step?: HostStep;
  constructor(
    code: string,
    errno: number,
    message: string,
    options: { readonly cause?: unknown; readonly step?: HostStep } = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : {});
    this.code = code;
    this.errno = errno;
    if (options.step !== undefined) this.step = options.step;
  }
}
