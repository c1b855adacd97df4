import { LIMITS } from "../limits.js";
import { string } from "../xdr/bytes.js";
import { array, optional, struct } from "../xdr/composites.js";
import { bool, uint, unsignedHyper } from "../xdr/scalars.js";
import type { Infer } from "../xdr/schema.js";
import { text } from "./shared.js";

const word = string(LIMITS.inspectionTextBytes);
const words = array(word, LIMITS.inspectionItems);
const placedVolume = struct({ pool: word, volume: word });

/** A guest's use of a file, a device or a remote image. Words that are not listed here come from newer daemons. */
export const wireAttachment = struct({
  domain: struct({
    /** Which source tells of it. */
    source: word,
    name: word,
    uuid: optional(word),
    /** "running", "paused", "shut off" …, "unknown". */
    state: word,
  }),
  /** "live", "next-boot", "both". */
  when: word,
  /** "disk", "cdrom", "floppy", "lun", "backing", "mirror", "data-file", "container", "loader", "nvram", "kernel" … */
  role: word,
  /** As the guest's document declares it. */
  format: optional(word),
  isReadOnly: bool,
  isShareable: bool,
  /** Of a disk and all that belongs to it: "vda". */
  target: optional(word),
  bus: optional(word),
  /** Attributes of its address in the guest: "type" "pci", "slot" "0x05" … */
  address: array(struct({ name: word, value: word }), LIMITS.inspectionItems),
  /** A path, or the URI of something remote. */
  place: word,
  /** From what the document names down to this, both left out. */
  through: words,
  /** Why it is not known where it leads. */
  problem: optional(word),
  /** The volumes that it is, of active pools; none: outside all pools. */
  volumes: array(placedVolume, LIMITS.inspectionItems),
});
export type WireAttachment = Infer<typeof wireAttachment>;

/** Where guests' documents come from, and how it is. */
export const wireDomainSource = struct({
  /** As configured: a URI, a directory, a file. */
  name: word,
  /** "connection", "directory", "file". */
  kind: word,
  answers: bool,
  /** Since when it has been so; microseconds since 1970. */
  since: unsignedHyper,
  /** Why it does not answer. */
  reason: optional(word),
  /** How many guests it told of. */
  domains: uint,
});
export type WireDomainSource = Infer<typeof wireDomainSource>;

export const wireExplanation = struct({
  /** "in-use", "next-boot", "unused", "unknown". */
  verdict: word,
  attachments: array(wireAttachment, LIMITS.inspectionItems),
  /** Volumes that are built on it, directly. */
  overlays: array(placedVolume, LIMITS.inspectionItems),
  jobs: array(struct({ id: unsignedHyper, title: word }), LIMITS.inspectionItems),
  /** Why it cannot be deleted now; none: it can. */
  obstacles: words,
  /** What would break if it were gone. */
  losses: words,
  /** Why somebody may use it although nobody says so. */
  doubts: words,
  /** False: no domain source is configured, which is the one doubt. */
  isAnybodyAsked: bool,
});
export type WireExplanation = Infer<typeof wireExplanation>;

export const wireConflict = struct({
  /** "shared-writing", "format-mismatch", "unresolved", "missing-at-next-boot", "twice-in-one-guest", "disk-and-partition". */
  kind: word,
  /** "error", "warning", "note". */
  severity: word,
  domains: words,
  /** Absent: outside all pools. */
  volume: optional(placedVolume),
  place: word,
  detail: word,
});
export type WireConflict = Infer<typeof wireConflict>;

export const wireOrphan = struct({
  pool: word,
  volume: word,
  path: optional(word),
  capacity: unsignedHyper,
  allocation: unsignedHyper,
  /** Of its content; nanoseconds since 1970; 0: not known. */
  modified: unsignedHyper,
});
export type WireOrphan = Infer<typeof wireOrphan>;

export const wirePoolProposal = struct({
  name: word,
  /** Of the pool: "dir", "logical", "disk". */
  type: word,
  /** "define": it is to be made by `xml`; "start", "refresh": it is there and would have it then. */
  action: word,
  xml: text,
  places: words,
  domains: words,
});
export type WirePoolProposal = Infer<typeof wirePoolProposal>;

export const wireReachFault = struct({
  path: word,
  /** "POOL/VOLUME" of those that are behind it; not all of them need be listed. */
  volumes: words,
  detail: word,
  /** What a shell does about it. */
  command: word,
});
export type WireReachFault = Infer<typeof wireReachFault>;
