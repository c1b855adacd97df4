/*
 * Numbers of qcow2 that follow from an image's options. Positions are counted in clusters: as plain numbers they reach
 * beyond what any file can hold.
 */

/** Guests' disks are counted in sectors. */
const SECTOR_BYTES = 512n;
export const TABLE_ENTRY_BYTES = 8;
/** 16 bits per refcount, what every version 2 image has and qemu's default for version 3. */
export const REFCOUNT_BYTES = 2;
/** qemu reserves data in requests that an int can count. */
const REQUEST_BYTES = 2_147_483_647;

/** What qemu opens. */
export const QCOW2_LIMITS = {
  clusterBytes: { smallest: 512, largest: 2_097_152 },
  /** With extended L2 entries a cluster has 32 subclusters of at least a sector. */
  extendedClusterBytes: 16_384,
  l1Bytes: 33_554_432,
  refcountTableBytes: 8_388_608,
} as const;

export interface Qcow2Options {
  /** 2 is "compat 0.10", 3 is "compat 1.1". */
  readonly version: 2 | 3;
  /** What a guest sees; rounded up to sectors. */
  readonly capacityBytes: bigint;
  readonly clusterBytes: number;
  /** Of version 3 only, as is `extendedL2`. */
  readonly lazyRefcounts: boolean;
  readonly extendedL2: boolean;
  /** As it shall stand in the image. */
  readonly backing: { readonly path: string; readonly format: string } | null;
  /** "metadata": every guest cluster has its place in the file; "falloc": and the file system has blocks for it. */
  readonly preallocation: "off" | "metadata" | "falloc";
}

export interface Geometry {
  readonly capacityBytes: bigint;
  readonly clusterBytes: number;
  /** Clusters that the guest's disk has. */
  readonly guestClusters: number;
  readonly l1Entries: number;
  readonly l2EntryBytes: 8 | 16;
  readonly entriesPerL2: number;
  /** The most clusters of data that qemu asks for at once. */
  readonly clustersPerRequest: number;
  readonly refcountsPerBlock: number;
  readonly blocksPerTableCluster: number;
}

/** null: there is no such image, and qemu-img has the words for why. */
export function geometryOf(options: Qcow2Options): Geometry | null {
  const { version, clusterBytes, lazyRefcounts, extendedL2 } = options;
  const { smallest, largest } = QCOW2_LIMITS.clusterBytes;
  const isPowerOfTwo = Number.isInteger(Math.log2(clusterBytes));
  if (!isPowerOfTwo || clusterBytes < smallest || clusterBytes > largest) return null;
  if (version === 2 && (lazyRefcounts || extendedL2)) return null;
  if (extendedL2 && clusterBytes < QCOW2_LIMITS.extendedClusterBytes) return null;
  const l2EntryBytes = extendedL2 ? 16 : 8;
  const entriesPerL2 = clusterBytes / l2EntryBytes;
  const capacityBytes = divideUp(options.capacityBytes, SECTOR_BYTES) * SECTOR_BYTES;
  const l1Entries = divideUp(capacityBytes, BigInt(clusterBytes * entriesPerL2));
  if (l1Entries * BigInt(TABLE_ENTRY_BYTES) > QCOW2_LIMITS.l1Bytes) return null;
  return {
    capacityBytes,
    clusterBytes,
    guestClusters: Number(divideUp(capacityBytes, BigInt(clusterBytes))),
    l1Entries: Number(l1Entries),
    l2EntryBytes,
    entriesPerL2,
    clustersPerRequest: Math.floor(REQUEST_BYTES / clusterBytes),
    refcountsPerBlock: clusterBytes / REFCOUNT_BYTES,
    blocksPerTableCluster: clusterBytes / TABLE_ENTRY_BYTES,
  };
}

function divideUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}
