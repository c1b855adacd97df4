import { LIMITS } from "../limits.js";
import { string } from "../xdr/bytes.js";
import { array, optional, struct } from "../xdr/composites.js";
import { bool, int, uint, unsignedHyper } from "../xdr/scalars.js";
import type { Infer, Schema } from "../xdr/schema.js";

/** Names and words of images, which guests may have written. Longer ones are cut, and end at a NUL. */
const word = string(LIMITS.inspectionTextBytes);

function list<T>(item: Schema<T>): Schema<readonly T[]> {
  return array(item, LIMITS.inspectionItems);
}

const wireBacking = struct({
  /** As it stands in the image. */
  string: word,
  /** As the image declares it. */
  format: optional(word),
});

const wireFeature = struct({
  /** "incompatible", "compatible" or "autoclear". */
  kind: word,
  bit: int,
  /** As the image itself names it. */
  name: optional(word),
});

const wireQcow2 = struct({
  version: int,
  virtualSizeBytes: unsignedHyper,
  /** 0: the header says a size that no image can have. */
  clusterSizeBytes: unsignedHyper,
  refcountBits: int,
  hasExtendedL2: bool,
  /** "zlib", "zstd" or "unknown". */
  compression: word,
  hasLazyRefcounts: bool,
  /** It was not closed properly. */
  isDirty: bool,
  /** qemu found it damaged. */
  isCorrupt: bool,
  backing: optional(wireBacking),
  dataFile: optional(struct({ name: optional(word), isRaw: bool })),
  /** "aes", "luks" or "unknown". */
  encryption: optional(word),
  luksHeader: optional(struct({ offsetBytes: unsignedHyper, lengthBytes: unsignedHyper })),
  featureNames: list(wireFeature),
  /** Without these the image cannot be understood, and the daemon does not know them. */
  unknownFeatures: list(wireFeature),
  /** `count` is what the image says; not all of them need be listed. */
  snapshots: struct({
    count: uint,
    listed: list(
      struct({
        id: word,
        name: word,
        /** Since 1970. */
        createdNs: unsignedHyper,
        /** How long the guest had run. */
        guestClockNs: unsignedHyper,
        vmStateBytes: unsignedHyper,
        virtualSizeBytes: optional(unsignedHyper),
      }),
    ),
  }),
  bitmaps: struct({
    count: uint,
    listed: list(
      struct({
        name: word,
        granularityBytes: unsignedHyper,
        /** It was not saved properly. */
        isInUse: bool,
        isRecording: bool,
      }),
    ),
  }),
  problems: list(word),
});

const wireImage = struct({
  /** As qemu-img names it. */
  format: word,
  /** A kind within the format: "monolithicSparse", "dynamic". */
  subformat: optional(word),
  version: optional(uint),
  /** What a guest sees. */
  capacityBytes: optional(unsignedHyper),
  clusterSizeBytes: optional(unsignedHyper),
  backing: optional(wireBacking),
  /** Files beside the image that hold its data, as they stand in the image. */
  dataFiles: list(word),
  encryption: optional(word),
  /** Of format qcow2 alone. */
  qcow2: optional(wireQcow2),
  problems: list(word),
});

const wireChainLink = struct({
  /** "volume", "backing" or "data". */
  role: word,
  /** Place in the chain of the link whose image names this one. */
  namedBy: optional(int),
  /** As it stands in the image that names it; of the volume: its path. */
  name: word,
  /** On the daemon's machine; absent: a remote name, or one that leads nowhere. */
  path: optional(word),
  format: optional(word),
  /** "recorded", "declared", "probed" or "rule". */
  formatOrigin: optional(word),
  /** "file", "block", "remote" or "nowhere". */
  place: word,
  sizeBytes: optional(unsignedHyper),
  allocatedBytes: optional(unsignedHyper),
  /** What a guest sees of it. */
  capacityBytes: optional(unsignedHyper),
  /** The active pool in whose directory it lies, and the volume that it is there; absent: in none. */
  inside: optional(struct({ pool: word, volume: optional(word) })),
  /** Absent: it was not looked into. */
  image: optional(wireImage),
  /** `kind`: "missing", "unreadable", "cycle", "too-deep", "outside" …; `detail` is a sentence. */
  problems: list(struct({ kind: word, detail: word })),
});

/** What is in a volume, and on what it rests. Words that are not listed here come from newer daemons. */
export const wireInspection = struct({
  pool: word,
  volume: word,
  /** Absent: it is no image, or recorded as raw, into which nobody looks. */
  image: optional(wireImage),
  /** The volume first, then each link after the one that names it. */
  chain: list(wireChainLink),
  /** False where the chain ends at a problem. */
  isComplete: bool,
});
export type WireInspection = Infer<typeof wireInspection>;
