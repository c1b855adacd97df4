import type { Permissions } from "./permissions.js";

export const VOLUME_TYPES = ["file", "block", "dir", "network", "netdir", "ploop"] as const;
export type VolumeType = (typeof VOLUME_TYPES)[number];

/** Nanoseconds since 1970. */
export interface Timestamps {
  readonly accessNs: bigint;
  readonly modificationNs: bigint;
  readonly changeNs: bigint;
  readonly birthNs: bigint;
}
export interface EncryptionSecret {
  readonly type: "passphrase";
  readonly lookup: { readonly uuid: string } | { readonly usage: string };
}
export interface VolumeEncryption {
  readonly format: "default" | "qcow" | "luks" | "luks2";
  readonly engine: "qemu" | "librbd" | null;
  readonly secrets: readonly EncryptionSecret[];
  readonly cipher: {
    readonly name: string;
    readonly sizeBits: number;
    readonly mode: string | null;
    readonly hash: string | null;
  } | null;
  readonly ivgen: { readonly name: string; readonly hash: string | null } | null;
}
export const VOLUME_FEATURES = ["lazy_refcounts", "extended_l2"] as const;
export type VolumeFeature = (typeof VOLUME_FEATURES)[number];

/** Where a volume's (or its backing store's) bytes are and what they look like. */
export interface VolumeTarget {
  readonly path: string | null;
  /** A volume format of the pool's type (`raw`, `qcow2`, `linux` …), null where the type has none (block pools). */
  readonly format: string | null;
  readonly permissions: Permissions;
  readonly timestamps: Timestamps | null;
  readonly encryption: VolumeEncryption | null;
  /** `0.10` or `1.1`, null: not said. */
  readonly compat: string | null;
  /** 0: not said. */
  readonly clusterSizeBytes: bigint;
  /** null: not said; empty: `<features/>`. */
  readonly features: readonly VolumeFeature[] | null;
  readonly noCopyOnWrite: boolean;
}
export interface SourceExtents {
  readonly devicePath: string;
  readonly extents: readonly { readonly startBytes: bigint; readonly endBytes: bigint }[];
}
export interface VolumeDocument {
  readonly type: VolumeType;
  readonly name: string;
  readonly key: string | null;
  readonly source: readonly SourceExtents[];
  readonly capacityBytes: bigint;
  readonly allocationBytes: bigint;
  /** Whether the document says an allocation: without one libvirt takes the capacity (fully allocated). */
  readonly hasAllocation: boolean;
  /** 0: not known. */
  readonly physicalBytes: bigint;
  readonly target: VolumeTarget;
  readonly backingStore: VolumeTarget | null;
}
