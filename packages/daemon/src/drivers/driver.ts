import type { PoolDocument, PoolSource, PoolType, VolumeDocument, VolumeType } from "@cistern/documents";
import type { CancelSignal } from "../cancel-signal.js";
import type { Directory, File, Host, ScanEvidence } from "../host/host.js";
import type { Job, Recorded, UnitTrace } from "../jobs/job.js";

import type { ExpectedSpace } from "./expected-space.js";

/**
 * What one storage technology can do. A driver keeps no state: the pool hands in its document and takes back what was
 * found. Locking, persistence, events and access checks happen above it. A method that is absent is something the
 * technology cannot do; `unsupported.ts` turns that into libvirt's error.
 *
 * Failures are `LibvirtError`s of @cistern/protocol with libvirt's code, domain and text.
 */
export interface StorageDriver {
  readonly type: PoolType;
  readonly traits: DriverTraits;
  /**
   * Usable already? Changes nothing; asked once per pool when the daemon starts. `wasActive`: it was in use when the last daemon
   * ended, for storage that does not show whether it is.
   */
  check(pool: PoolDocument, host: Host, wasActive?: boolean): Promise<boolean>;
  /** The pool's sizes and its volumes. `known`: what the last scan found, by name. */
  scan(pool: PoolDocument, host: Host, known: KnownVolumes, signal: CancelSignal): Promise<PoolScan>;
  /** The pool's sizes alone, quickly. Absent: only a scan finds them out. */
  measure?(pool: PoolDocument, host: Host, signal: CancelSignal): Promise<PoolSizes>;
  /**
   * Where making or removing a volume changes what is known of the pool and of other volumes (their names, what is free
   * between them): looks at it again after such a change. Absent: the volume's allocation is all that has changed.
   */
  rescan?(pool: PoolDocument, host: Host, after: VolumeChange, signal: CancelSignal): Promise<PoolScan>;
  /** A start that fails leaves nothing behind. */
  start?(pool: PoolDocument, host: Host, context: PoolContext): Promise<Started>;
  /** `made`: what the start has told; empty for a pool that was found usable without one. */
  stop?(pool: PoolDocument, host: Host, context: PoolContext & Pick<Started, "made">): Promise<void>;
  build?(pool: PoolDocument, host: Host, flags: BuildFlags, signal?: CancelSignal): Promise<void>;
  /** Flags as the caller gave them (libvirt's drivers check them). */
  delete?(pool: PoolDocument, host: Host, flags: number): Promise<void>;
  /** What could become a pool. `wanted`: where to look, as the caller said it; it was checked before. */
  discover?(wanted: PoolSource | null, host: Host, signal: CancelSignal): Promise<readonly PoolSource[]>;
  /** Absent where volumes are only found (mpath, scsi). */
  readonly volumes?: VolumeOperations;
}

/** `known`: the volumes with what only their documents say (a format), which a refresh would not find. */
export interface VolumeChange {
  readonly change: "made" | "removed";
  readonly known: KnownVolumes;
}

/** What bringing a pool up or down is handed besides its document. */
export interface PoolContext {
  /** Aborts when nobody waits for it any more. */
  readonly signal: CancelSignal;
  readonly secret: PoolSecretLookup;
}

/** As `SecretLookup`; `usage` says what a lookup by usage is for. */
export type PoolSecretLookup = (
  lookup: Parameters<SecretLookup>[0],
  usage: "iscsi" | "ceph" | "volume",
) => Promise<Uint8Array>;

/** What a start did. */
export interface Started {
  /**
   * What it made in the system and a stop has to take away again, a line of text each, in whatever words the driver
   * understands. What was there before is not ours to end. Kept with the pool's state, and so known to the next daemon.
   */
  readonly made: readonly string[];
  /** The live document, where the start changes it. */
  readonly pool?: PoolDocument;
}

export const NOTHING_MADE: Started = { made: [] };

export interface DriverTraits {
  /** The type of the volumes a create makes at once visible, by format (`dir` makes a directory). */
  readonly volumeKind: VolumeType;
  /** Whether a volume may be created with capacity 0. */
  readonly allowsZeroCapacity: boolean;
  /** Whether a volume may be made of another one's content. */
  readonly clones: boolean;
  /**
   * Whether volumes of the pool that are built on another one are removed with it when that is asked for
   * (`DELETE_WITH_SNAPSHOTS`). Absent: they are only ever in the way.
   */
  readonly removesSnapshots?: boolean;
}

/** libvirt's public flag of virStorageVolDelete: snapshots of the volume go with it. */
export const DELETE_WITH_SNAPSHOTS = 2;

/** libvirt's public flags of virStoragePoolBuild: 4 NO_OVERWRITE, 8 OVERWRITE; others are refused by the driver. */
export type BuildFlags = number;

export interface FoundVolume {
  readonly document: VolumeDocument;
  /** What a later scan needs to see that nothing changed; null: look again. */
  readonly evidence: ScanEvidence | null;
  /** The entry was a symlink when it was found: its volume is what it leads to. Absent: it was none, and must be none. */
  readonly isSymlink?: boolean;
  /** `identityOf` what it leads to, where a look has told it anyway. Absent or null: as evidence tells it, or as it was before. */
  readonly identity?: string | null;
  /** The path of the file in which its image keeps what guests write; null: it keeps that itself. Absent: as it was before. */
  readonly dataFile?: string | null;
}

/** What the last scan of the pool found, by name. A view, not a copy: there may be a hundred thousand. */
export interface KnownVolumes extends Iterable<FoundVolume> {
  get(name: string): FoundVolume | undefined;
}

export interface PoolSizes {
  readonly capacityBytes: bigint;
  readonly allocationBytes: bigint;
  readonly availableBytes: bigint;
}

export interface PoolScan extends PoolSizes {
  /** What the live document takes over from the storage (target permissions). */
  readonly pool: PoolDocument;
  readonly volumes: readonly FoundVolume[];
}

/** How a passphrase is fetched for an encryption secret; rejects with libvirt's 66/30. */
export type SecretLookup = (lookup: { readonly uuid: string } | { readonly usage: string }) => Promise<Uint8Array>;

/** What a volume operation is given besides its documents. */
export interface VolumeContext {
  readonly host: Host;
  /** Opens the source of a clone where `host` is another user's; absent: `host` does. */
  readonly sourceHost?: Host;
  readonly job: Job;
  readonly secret: SecretLookup;
  /** Whether the volume may be a symlink: only then is one followed. Absent: it may not. */
  readonly followsSymlink?: boolean;
  /** Whether a copy shares blocks with its source where it can; absent: only when it is asked to. */
  readonly sharesBlocks?: boolean;
  readonly expectedSpace: ExpectedSpace;
  /** Told what a new volume's content is written into, so that others can see how far it is. */
  readonly growing?: (file: File) => void;
  /**
   * Runs `work` while nobody else changes the pool. For `fill`, where others' changes would meet (a partition table);
   * `allocate` and `remove` run so anyway, and would wait for themselves.
   */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
  /** A directory of the daemon's own (0700) for short-lived passphrase files. */
  readonly privateDirectory: Directory;
}

export interface CloneSource {
  readonly pool: PoolDocument;
  readonly document: VolumeDocument;
  /** Whether its entry may be a symlink: only then is one followed. Absent: it may not. */
  readonly followsSymlink?: boolean;
}

export interface VolumeOperations {
  /** Names the volume (type, path, key) and refuses what cannot be made; quick, the pool stays locked. */
  allocate?(pool: PoolDocument, wanted: VolumeDocument, context: VolumeContext): Promise<VolumeDocument>;
  /**
   * Writes first content; slow, unlocked. The volume appears under its name when it is complete, and replaces nothing; on
   * failure nothing is left. Gives it as it then is (its key and path may only be known now); undefined: look at it with
   * `refresh`. Flags: 1 PREALLOC_METADATA, 2 REFLINK.
   */
  fill?(
    pool: PoolDocument,
    volume: VolumeDocument,
    source: CloneSource | null,
    flags: number,
    context: VolumeContext,
  ): Promise<FoundVolume | undefined>;
  /**
   * Looks at one volume again (sizes, times, and its format when `probe`). `evidence` spares the look into a file that
   * was not touched. ENOENT: libvirt's 50.
   */
  refresh?(pool: PoolDocument, volume: FoundVolume, probe: boolean, host: Host): Promise<FoundVolume>;
  remove?(pool: PoolDocument, volume: VolumeDocument, flags: number, context: VolumeContext): Promise<void>;
  /** Flags: 1 ALLOCATE, 4 SHRINK (4 as libvirt's public flags). */
  resize?(
    pool: PoolDocument,
    volume: VolumeDocument,
    capacityBytes: bigint,
    flags: number,
    context: VolumeContext,
  ): Promise<void>;
  /** Whether cutting the volume to `capacityBytes` would take anything away. Absent: what it has allocated tells. */
  hasBlocksBehind?(
    pool: PoolDocument,
    volume: VolumeDocument,
    capacityBytes: bigint,
    context: VolumeContext,
  ): Promise<boolean>;
  wipe?(pool: PoolDocument, volume: VolumeDocument, algorithm: number, context: VolumeContext): Promise<void>;
  openForDownload?(pool: PoolDocument, volume: VolumeDocument, context: VolumeContext): Promise<File>;
  openForUpload?(pool: PoolDocument, volume: VolumeDocument, context: VolumeContext): Promise<UploadTarget>;
  /**
   * Removes what `fill` had recorded and a daemon that died has left, if it still is what the record says. Gives what was
   * done, as the end of a sentence: "'/dev/vg/x' was removed", "nothing is left of it".
   */
  undo?(unit: UnitTrace, host: Host): Promise<string>;
}

/** What an upload writes into. */
export interface UploadTarget {
  readonly file: File;
  /** That the content is being replaced; to be released when it is complete, or the client was told that it is not. */
  readonly recorded: Recorded;
  /** Of the file system it lies on; absent where nothing can run out. */
  readonly freeBytes?: () => Promise<bigint>;
}
