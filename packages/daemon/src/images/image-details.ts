import type { ImageBacking } from "./image-facts.js";

/**
 * All that an image's headers say. Sizes are as the image has them, which may be anything: whoever wrote the image may be
 * a guest. What could not be read stands as a sentence in `problems`.
 */
export interface ImageDetails {
  /** As qemu-img names it; "luks" for raw content in that envelope, "raw" where nothing was recognised. */
  readonly format: string;
  /** A kind within the format: "monolithicSparse" (vmdk), "dynamic" or "fixed" (vpc, vdi), "differencing" (vpc). */
  readonly subformat: string | null;
  readonly version: number | null;
  /** What a guest sees; null: the header does not say. */
  readonly capacityBytes: bigint | null;
  /** The unit in which the format allocates; null: it has none, or says an impossible one. */
  readonly clusterSizeBytes: bigint | null;
  readonly backing: ImageBacking | null;
  /** Files beside the image that hold its data: extents of vmdk, the data file of qcow2. As they stand in the image. */
  readonly dataFiles: readonly string[];
  readonly encryption: EncryptionMethod | null;
  /** Of format qcow2 alone. */
  readonly qcow2: Qcow2Facts | null;
  readonly problems: readonly string[];
}

/** "unknown": a method of which nobody has heard. */
export type EncryptionMethod = "aes" | "luks" | "unknown";

/** The header of a qcow2 image, with its extensions and the tables that it points to. */
export interface Qcow2Facts {
  readonly version: 2 | 3;
  readonly virtualSizeBytes: bigint;
  /** 0: the header says a size that no image can have; then nothing beyond the first 104 bytes was looked at. */
  readonly clusterSizeBytes: bigint;
  readonly refcountBits: number;
  readonly hasExtendedL2: boolean;
  readonly compression: "zlib" | "zstd" | "unknown";
  readonly hasLazyRefcounts: boolean;
  /** It was not closed properly: the refcounts may be wrong. */
  readonly isDirty: boolean;
  /** qemu found it damaged, and opens it for reading only. */
  readonly isCorrupt: boolean;
  readonly backing: ImageBacking | null;
  readonly dataFile: Qcow2DataFile | null;
  readonly encryption: EncryptionMethod | null;
  /** Where the LUKS header lies, as the image says. */
  readonly luksHeader: { readonly offsetBytes: bigint; readonly lengthBytes: bigint } | null;
  /** Names that the image itself gives to feature bits. */
  readonly featureNames: readonly Qcow2Feature[];
  /** Bits of features without which the image cannot be understood, and that are not known here. */
  readonly unknownFeatures: readonly Qcow2Feature[];
  readonly snapshots: Qcow2List<Qcow2Snapshot>;
  readonly bitmaps: Qcow2List<Qcow2Bitmap>;
  readonly problems: readonly string[];
}

export interface Qcow2DataFile {
  /** null: the image has one and does not say which. */
  readonly name: string | null;
  /** Its content reads as a raw disk, without the image. */
  readonly isRaw: boolean;
}

export interface Qcow2Feature {
  readonly kind: "incompatible" | "compatible" | "autoclear";
  readonly bit: number;
  /** null: the image gives it none. */
  readonly name: string | null;
}

/** Things of which the image says how many there are, and which are shown up to a limit. */
export interface Qcow2List<T> {
  readonly count: number;
  readonly listed: readonly T[];
}

export interface Qcow2Snapshot {
  readonly id: string;
  readonly name: string;
  /** Nanoseconds since 1970. */
  readonly createdNs: bigint;
  /** How long the guest had run. */
  readonly guestClockNs: bigint;
  readonly vmStateBytes: bigint;
  /** Of the disk then; null: not said (version 2). */
  readonly virtualSizeBytes: bigint | null;
}

export interface Qcow2Bitmap {
  readonly name: string;
  readonly granularityBytes: bigint;
  /** It was not saved properly: its content is not to be trusted. */
  readonly isInUse: boolean;
  /** Writes are recorded in it. */
  readonly isRecording: boolean;
}
