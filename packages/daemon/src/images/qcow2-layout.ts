import { type ClusterRange, Qcow2Clusters } from "./qcow2-clusters.js";
import { type Geometry, geometryOf, QCOW2_LIMITS, type Qcow2Options, TABLE_ENTRY_BYTES } from "./qcow2-geometry.js";

/*
 * Where everything lies in a new image, cluster for cluster where qemu-img 7.2 puts it, so that the file is as long and
 * takes as much space as one that qemu-img made:
 *
 *   off        header, refcount table, refcount block, L1 table
 *   metadata   the same; then for each L2 table: the table, its data. Refcount blocks where Qcow2Clusters puts them
 *   falloc     header, first L2 table (where the refcount table was before it grew), refcount block, L1 table,
 *              more refcount blocks, refcount table, all data, the other L2 tables
 */

/** Guest clusters that lie one behind the other in the file. */
export interface DataRun extends ClusterRange {
  readonly guestCluster: number;
}

export interface Layout {
  readonly geometry: Geometry;
  /** 0: a disk of no bytes has no table. */
  readonly l1Cluster: number;
  readonly refcountTable: ClusterRange;
  /** Cluster of each refcount block, the first counting the file's first clusters. */
  readonly refcountBlocks: readonly number[];
  /** Cluster of each L2 table; empty without preallocation. */
  readonly l2Tables: readonly number[];
  /** Ascending. */
  readonly dataRuns: readonly DataRun[];
  /** The one cluster before `end` that may be out of use: of the first refcount table, when it was outgrown. */
  readonly free: number | null;
  readonly end: number;
}

/** Runs of data in a preallocated image, laid out in one turn of the event loop: 19 TiB of qemu's clusters. */
const MOST_RUNS = 40_000;
const FIRST_REFCOUNT_TABLE: ClusterRange = { cluster: 1, count: 1 };

/** null: qemu-img has to make this image, or to say why it cannot be made. */
export function layoutOf(options: Qcow2Options): Layout | null {
  const geometry = geometryOf(options);
  if (geometry === null) return null;
  const l1Clusters = Math.ceil((geometry.l1Entries * TABLE_ENTRY_BYTES) / geometry.clusterBytes);
  // Of tiny clusters, a long L1 table takes more than one refcount block counts: nobody makes such images.
  if (l1Clusters >= geometry.refcountsPerBlock) return null;
  const clusters = new Qcow2Clusters(geometry);
  const l1Cluster = l1Clusters === 0 ? 0 : clusters.take(l1Clusters);
  switch (options.preallocation) {
    case "off":
      return layout(geometry, l1Cluster, clusters);
    case "metadata":
      return withMetadata(geometry, l1Cluster, clusters);
    case "falloc":
      return withSpace(geometry, l1Cluster, clusters);
  }
}

function layout(geometry: Geometry, l1Cluster: number, { blocks, next }: Qcow2Clusters): Layout {
  const empty = { refcountTable: FIRST_REFCOUNT_TABLE, l2Tables: [], dataRuns: [] };
  return { ...empty, geometry, l1Cluster, refcountBlocks: blocks, free: null, end: next };
}

/** null also where the refcount table would have to grow on the way. */
function withMetadata(geometry: Geometry, l1Cluster: number, clusters: Qcow2Clusters): Layout | null {
  const { guestClusters, entriesPerL2, clustersPerRequest } = geometry;
  if (guestClusters / Math.min(entriesPerL2, clustersPerRequest) > MOST_RUNS) return null;
  const l2Tables: number[] = [];
  const dataRuns: DataRun[] = [];
  for (let done = 0; done < guestClusters; ) {
    const inTable = done % entriesPerL2;
    if (inTable === 0) l2Tables.push(clusters.take(1));
    const count = Math.min(guestClusters - done, entriesPerL2 - inTable, clustersPerRequest);
    dataRuns.push({ guestCluster: done, cluster: clusters.take(count), count });
    done += count;
  }
  if (clusters.blocks.length > geometry.blocksPerTableCluster) return null;
  return { ...layout(geometry, l1Cluster, clusters), l2Tables, dataRuns };
}

function withSpace(geometry: Geometry, l1Cluster: number, clusters: Qcow2Clusters): Layout | null {
  const { guestClusters, entriesPerL2, clusterBytes, blocksPerTableCluster } = geometry;
  if (guestClusters / entriesPerL2 > MOST_RUNS) return null;
  const start = clusters.next;
  const l2Count = Math.ceil(guestClusters / entriesPerL2);
  // qemu counts one L2 table more, for a range that begins within one.
  const blockCount = refcountBlocksFor(start + guestClusters + l2Count + 1, geometry);
  const tableClusters = Math.ceil(blockCount / blocksPerTableCluster);
  if (tableClusters * clusterBytes > QCOW2_LIMITS.refcountTableBytes) return null;
  const refcountBlocks = [...clusters.blocks];
  let next = start;
  while (refcountBlocks.length < blockCount) refcountBlocks.push(next++);
  const refcountTable = { cluster: next, count: tableClusters };
  const data = next + tableClusters;
  const behind = data + guestClusters;
  const l2Tables = Array.from({ length: l2Count }, (_, index) =>
    index === 0 ? FIRST_REFCOUNT_TABLE.cluster : behind + index - 1,
  );
  return {
    geometry,
    l1Cluster,
    refcountTable,
    refcountBlocks,
    l2Tables,
    dataRuns: guestClusters === 0 ? [] : [{ guestCluster: 0, cluster: data, count: guestClusters }],
    free: l2Count === 0 ? FIRST_REFCOUNT_TABLE.cluster : null,
    end: behind + Math.max(0, l2Count - 1),
  };
}

/** Blocks that count `clusters`, themselves and the table that finds them. */
function refcountBlocksFor(clusters: number, { refcountsPerBlock, blocksPerTableCluster }: Geometry): number {
  let blocks = 0;
  for (let all = 0, before = -1; all !== before; ) {
    before = all;
    const table = Math.ceil(blocks / blocksPerTableCluster);
    blocks = Math.ceil((clusters + table + blocks) / refcountsPerBlock);
    all = clusters + blocks + Math.ceil(blocks / blocksPerTableCluster);
  }
  return blocks;
}
