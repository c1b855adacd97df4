import type { ImageDetails } from "./image-details.js";

/** One file (or remote name) of a backing chain, with what is wrong with it. */
export interface ChainLink {
  readonly role: "volume" | "backing" | "data";
  /** Place in the chain of the link whose image names this one; null for the volume. */
  readonly namedBy: number | null;
  /** As it stands in the image that names it; of the volume: its path. */
  readonly name: string;
  /** On this machine; null: a remote name, or one that leads nowhere. */
  readonly path: string | null;
  /** null: not known, and not to be guessed. */
  readonly format: string | null;
  readonly formatOrigin: FormatOrigin | null;
  readonly place: "file" | "block" | "remote" | "nowhere";
  /** `identityOf` the file or device; null where it was not found. */
  readonly identity: string | null;
  /** Length of the file or device; null where it was not found. */
  readonly sizeBytes: bigint | null;
  readonly allocatedBytes: bigint | null;
  /** What a guest sees of it; null where that is not known. */
  readonly capacityBytes: bigint | null;
  /** The active pool in whose directory the name leads, and the volume that it is there; null: in none of them. */
  readonly inside: PoolPlace | null;
  /** null: not looked into (raw by declaration, remote, or not to be opened). */
  readonly image: ImageDetails | null;
  readonly problems: readonly ChainProblem[];
}

export interface PoolPlace {
  readonly pool: string;
  /** null: no volume (in a directory below the pool's, or not there at the last scan). */
  readonly volume: string | null;
}

/**
 * recorded: the volume's document has it. declared: the image that names the file says so. probed: nothing was
 * declared, so the first bytes decided. rule: files of data are raw, whatever they hold.
 */
export type FormatOrigin = "recorded" | "declared" | "probed" | "rule";

export const CHAIN_PROBLEMS = [
  /** There is no such file. */
  "missing",
  /** It cannot be opened or read, or did not answer in time. */
  "unreadable",
  /** It is already in the chain. */
  "cycle",
  /** The chain goes on beyond what is followed. */
  "too-deep",
  /** It lies outside of the directories of all active pools. */
  "outside",
  /** It holds something else than the image that names it says. */
  "format-differs",
  /** It is no regular file or block device; it was not opened. */
  "special",
  /** Its name is none that could be resolved. */
  "unusable-name",
  /** Nothing is known of its format, and it was not looked into. */
  "unknown-format",
  /** Its headers are damaged or go beyond what is read. */
  "damaged",
] as const;
export type ChainProblemKind = (typeof CHAIN_PROBLEMS)[number];

export interface ChainProblem {
  readonly kind: ChainProblemKind;
  /** A sentence for people. */
  readonly detail: string;
}
