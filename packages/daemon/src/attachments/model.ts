import type { DiskSource, DomainDocument, ReferenceRole } from "@cistern/documents";

/*
 * Who uses which volume. Guests' documents come from sources (`DomainSource`); what each document names is a `Reference`; what a
 * reference leads to on this host, through backing chains and devices, is an `Attachment`.
 */

/** What a guest is doing, in libvirt's words; "unknown": its source does not say. */
export type DomainState =
  | "running"
  | "blocked"
  | "paused"
  | "in shutdown"
  | "shut off"
  | "crashed"
  | "pmsuspended"
  | "unknown";

/** Where guests' documents come from, and how it is. */
export interface SourceFacts {
  /** As configured: a URI, a directory, a file. */
  readonly name: string;
  readonly kind: "connection" | "directory" | "file";
  /** False: what is known of its guests is what it said before, or nothing. */
  readonly answers: boolean;
  /** Since when it has been so; milliseconds since 1970. */
  readonly since: number;
  /** Why it does not answer. */
  readonly reason: string | null;
  readonly domains: number;
}

/** A guest, as its source last told of it. */
export interface KnownDomain {
  /** The name of its source. */
  readonly source: string;
  readonly name: string;
  /** null: its document has none. */
  readonly uuid: string | null;
  readonly state: DomainState;
  /** It may write to its disks now: its source has a document of what it uses now. */
  readonly isLive: boolean;
  /** What it uses now; null: it does not run, or its source tells of definitions only. */
  readonly live: DomainDocument | null;
  /** What it will use at its next start; null: it is gone when it ends, or its source tells of running guests only. */
  readonly persistent: DomainDocument | null;
  /** Why a document of it could not be read: what it uses is not all known. null: it is. */
  readonly problem: string | null;
}

export type AttachmentRole =
  | "disk"
  | "cdrom"
  | "floppy"
  | "lun"
  /** Below a disk: what its image is built on. */
  | "backing"
  /** Where a disk's content is being copied to. */
  | "mirror"
  /** What holds the data of an image that has only tables. */
  | "data-file"
  /** Of a disk: a device that holds what it uses, and other things as well: a partition's disk, what a logical volume lies on. */
  | "container"
  | ReferenceRole;

/** A SCSI device of the host by its address there. */
export interface ScsiAddress {
  readonly type: "scsi";
  readonly host: number;
  readonly bus: number;
  readonly target: number;
  readonly unit: number;
}

/** A disk whose element is not understood: it may be anything. */
export interface UnreadSource {
  readonly type: "unread";
  readonly reason: string;
}

/** Something that a guest's document names. */
export interface Reference {
  readonly role: AttachmentRole;
  readonly source: DiskSource | ScsiAddress | UnreadSource;
  /** As the document declares it; null: it does not. */
  readonly format: string | null;
  readonly isReadOnly: boolean;
  readonly isShareable: boolean;
  /** Of a disk and all that belongs to it: `vda`; null: it is none. */
  readonly target: string | null;
  readonly bus: string | null;
  /** As the document says it: `type='pci' domain='0x0000' …`. */
  readonly address: Readonly<Record<string, string>> | null;
  /** Of what is below a disk, as the document has it: from the disk down to this, both left out. */
  readonly through: readonly DiskSource[];
  readonly mayBeMissing: MayBeMissing;
}

/**
 * When it is nothing wrong that something is not there. "before-start": the hypervisor makes it when the guest starts; "always":
 * nothing says that it is there at all.
 */
export type MayBeMissing = "never" | "before-start" | "always";

/** "live": the running guest uses it; "next-boot": the definition does; "both". */
export type AttachmentTime = "live" | "next-boot" | "both";

/** A guest's use of a file, a device or a remote image. */
export interface Attachment extends Omit<Reference, "source" | "through" | "mayBeMissing"> {
  readonly domain: Pick<KnownDomain, "source" | "name" | "uuid" | "state">;
  readonly when: AttachmentTime;
  /** A path, or the URI of something remote: what a person knows it by. "unknown" for a disk that could not be read. */
  readonly place: string;
  /**
   * The same for whatever is the same file, device or remote image, by whatever name: `file:DEVICE:INODE`, `block:NUMBER`,
   * `path:/what/is/missing`, `rbd:pool/image` …; null: not known.
   */
  readonly identity: string | null;
  /** From what the document names down to this, both left out: files of a backing chain, loop devices, mapped devices. */
  readonly through: readonly string[];
  /** It is known where it leads; else why not: the file is missing, its storage does not answer, the chain cannot be read. */
  readonly problem: string | null;
  /** The volumes that it is, of active pools: more than one where pools overlap; none: outside all pools. */
  readonly volumes: readonly { readonly pool: string; readonly volume: string }[];
}

/** All that is known of who uses what. Reading waits for nothing. */
export interface Attachments {
  sources(): readonly SourceFacts[];
  domains(): readonly KnownDomain[];
  all(): readonly Attachment[];
  /** By name or UUID, over all sources. */
  ofDomain(nameOrUuid: string): readonly Attachment[];
  ofVolume(pool: string, volume: string): readonly Attachment[];
  /** Those in or at a pool's directory, or of one of its volumes. */
  ofPool(pool: string): readonly Attachment[];
  /**
   * Why something may be in use although nothing says so, a sentence each: sources that do not answer, documents and chains that
   * could not be read. Empty: whatever is not attached is unused.
   */
  unknowns(): readonly string[];
  /** Begins to look again at what could not be found, or at everything, unless that was done lately: files come and go without a word. */
  lookAgain(at: "missing" | "all"): void;
  /** Waits until what is known to have changed has been read and resolved, or for this long at the most. */
  settled(timeoutMs: number): Promise<void>;
  /** Reads one guest afresh from its source; false: the source did not answer in that time. */
  refreshDomain(domain: Pick<KnownDomain, "source" | "name" | "uuid">, timeoutMs: number): Promise<boolean>;
}
