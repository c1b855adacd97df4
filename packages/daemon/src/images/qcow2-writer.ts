import { type Qcow2Options, TABLE_ENTRY_BYTES } from "./qcow2-geometry.js";
import { headerBytes } from "./qcow2-header-bytes.js";
import { type Layout, layoutOf } from "./qcow2-layout.js";
import { l1Bytes, l2Bytes, refcountBlockBytes, refcountTableBytes, runsOf } from "./qcow2-table-bytes.js";

/** A part of an image and where it stands: `bytes`, and zeros behind them up to `lengthBytes`. */
export interface Segment {
  readonly offsetBytes: bigint;
  readonly bytes: Uint8Array;
  readonly lengthBytes: number;
}

export interface ByteRange {
  readonly offsetBytes: bigint;
  readonly lengthBytes: bigint;
}

/** An image without content, as a list of what has to be written. Everything not named is a hole. */
export interface EmptyQcow2 {
  /** What a guest sees. */
  readonly capacityBytes: bigint;
  /** Of the file. */
  readonly sizeBytes: bigint;
  /** By ascending place, made as they are asked for; each a cluster or a table. To be gone through once. */
  readonly segments: Iterable<Segment>;
  /** What the segments come to. */
  readonly writtenBytes: bigint;
  /** Ranges that read as zeros and for which the file system shall have blocks. */
  readonly reserved: readonly ByteRange[];
}

/** An extended L2 entry speaks of so many parts of its cluster. */
const SUBCLUSTERS = 32n;

/**
 * The image that qemu-img 7.2 makes of the same options, byte for byte and with the same holes.
 * null: it is left to qemu-img, which makes it or says what is wrong with it.
 */
export function emptyQcow2(options: Qcow2Options): EmptyQcow2 | null {
  const layout = layoutOf(options);
  const header = layout === null ? null : headerBytes(options, layout);
  if (layout === null || header === null) return null;
  const pieces = piecesOf(layout, header);
  const clusterBytes = BigInt(options.clusterBytes);
  const rangeOf = ({ cluster, lengthBytes }: Piece): ByteRange => ({
    offsetBytes: BigInt(cluster) * clusterBytes,
    lengthBytes: BigInt(lengthBytes),
  });
  const reserved = reservedRanges(options, layout);
  const ends = [...pieces.slice(-1).map(rangeOf), ...reserved].map(endOf);
  return {
    capacityBytes: layout.geometry.capacityBytes,
    sizeBytes: [...ends, endOfData(layout)].reduce((longest, end) => (end > longest ? end : longest)),
    segments: segmentsOf(pieces, clusterBytes),
    writtenBytes: BigInt(pieces.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0)),
    reserved,
  };
}

/** A part of the image that is written, to be made when it is needed. What `make` leaves out at its end is zeros. */
interface Piece {
  readonly cluster: number;
  readonly lengthBytes: number;
  readonly make: () => Uint8Array;
}

function piecesOf(layout: Layout, header: Uint8Array): Piece[] {
  const { geometry, l1Cluster, refcountTable, refcountBlocks, l2Tables, free } = layout;
  const { clusterBytes } = geometry;
  const cluster = (position: number, make: () => Uint8Array): Piece => ({
    cluster: position,
    lengthBytes: clusterBytes,
    make,
  });
  const table = (position: number, lengthBytes: number, make: () => Uint8Array): Piece => ({
    cluster: position,
    lengthBytes,
    make,
  });
  const runs = runsOf(layout);
  const pieces = [
    cluster(0, () => header),
    table(refcountTable.cluster, refcountTable.count * clusterBytes, () => refcountTableBytes(layout)),
    table(l1Cluster, geometry.l1Entries * TABLE_ENTRY_BYTES, () => l1Bytes(layout)),
    ...refcountBlocks.map((position, block) => cluster(position, () => refcountBlockBytes(layout, block))),
    ...l2Tables.map((position, index) => cluster(position, () => l2Bytes(layout, index, runs(index)))),
  ];
  if (free !== null) pieces.push(cluster(free, () => new Uint8Array()));
  return pieces.filter(({ lengthBytes }) => lengthBytes > 0).sort((one, other) => one.cluster - other.cluster);
}

function* segmentsOf(pieces: readonly Piece[], clusterBytes: bigint): Generator<Segment> {
  for (const { cluster, lengthBytes, make } of pieces)
    yield { offsetBytes: BigInt(cluster) * clusterBytes, bytes: make(), lengthBytes };
}

/** With "falloc" all data; with "metadata" what the last cluster has beyond the guest's disk, where qemu writes zeros. */
function reservedRanges({ preallocation, extendedL2 }: Qcow2Options, { geometry, dataRuns }: Layout): ByteRange[] {
  const clusterBytes = BigInt(geometry.clusterBytes);
  if (preallocation === "falloc") {
    return dataRuns.map(({ cluster, count }) => ({
      offsetBytes: BigInt(cluster) * clusterBytes,
      lengthBytes: BigInt(count) * clusterBytes,
    }));
  }
  const last = dataRuns.at(-1);
  const used = geometry.capacityBytes % clusterBytes;
  if (last === undefined || used === 0n) return [];
  const unit = extendedL2 ? clusterBytes / SUBCLUSTERS : clusterBytes;
  const lengthBytes = (unit - (used % unit)) % unit;
  if (lengthBytes === 0n) return [];
  return [{ offsetBytes: BigInt(last.cluster + last.count - 1) * clusterBytes + used, lengthBytes }];
}

function endOfData({ geometry, dataRuns }: Layout): bigint {
  const last = dataRuns.at(-1);
  if (last === undefined) return 0n;
  const clusterBytes = BigInt(geometry.clusterBytes);
  const unused = (clusterBytes - (geometry.capacityBytes % clusterBytes)) % clusterBytes;
  return BigInt(last.cluster + last.count) * clusterBytes - unused;
}

function endOf({ offsetBytes, lengthBytes }: ByteRange): bigint {
  return offsetBytes + lengthBytes;
}
