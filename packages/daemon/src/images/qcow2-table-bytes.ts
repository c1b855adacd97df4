import { REFCOUNT_BYTES, TABLE_ENTRY_BYTES } from "./qcow2-geometry.js";
import type { DataRun, Layout } from "./qcow2-layout.js";

/* The tables of an image, one entry after the other, big-endian. Zeros at their ends may be left out. */

/** In an entry of L1 or L2: nobody else refers to the same cluster. */
const COPIED = 0x8000_0000;
const WORD = 2 ** 32;

/** The clusters of the refcount blocks. */
export function refcountTableBytes({ geometry, refcountBlocks }: Layout): Uint8Array {
  const bytes = new Uint8Array(refcountBlocks.length * TABLE_ENTRY_BYTES);
  writeOffsets(bytes, refcountBlocks, geometry.clusterBytes, 0);
  return bytes;
}

/** 1 for each cluster that is in use. Of a preallocated image, the last block may have no cluster to count. */
export function refcountBlockBytes({ geometry, free, end }: Layout, block: number): Uint8Array {
  const { refcountsPerBlock } = geometry;
  const first = block * refcountsPerBlock;
  const count = Math.max(0, Math.min(end - first, refcountsPerBlock));
  const bytes = new Uint8Array(count * REFCOUNT_BYTES);
  for (let index = 0; index < count; index++) {
    if (first + index !== free) bytes[index * REFCOUNT_BYTES + 1] = 1;
  }
  return bytes;
}

/** The clusters of the L2 tables, if there are any. */
export function l1Bytes({ geometry, l2Tables }: Layout): Uint8Array {
  const bytes = new Uint8Array(l2Tables.length * TABLE_ENTRY_BYTES);
  writeOffsets(bytes, l2Tables, geometry.clusterBytes, COPIED);
  return bytes;
}

/**
 * The places of the guest's clusters that one L2 table tells, of those `runs` that lie in it. An extended entry's second
 * half, which tells the subclusters that hold data, stays zero.
 */
export function l2Bytes({ geometry }: Layout, table: number, runs: Iterable<DataRun>): Uint8Array {
  const { clusterBytes, entriesPerL2, l2EntryBytes } = geometry;
  const bytes = new Uint8Array(clusterBytes);
  const view = new DataView(bytes.buffer);
  const tableStart = table * entriesPerL2;
  for (const { guestCluster, cluster, count } of runs) {
    const from = Math.max(guestCluster, tableStart);
    const to = Math.min(guestCluster + count, tableStart + entriesPerL2);
    for (let guest = from; guest < to; guest++) {
      const offset = (cluster + guest - guestCluster) * clusterBytes;
      writeOffset(view, (guest - tableStart) * l2EntryBytes, offset, COPIED);
    }
  }
  return bytes;
}

/** Finds the runs that have a part in an L2 table. Tables are asked for in ascending order. */
export function runsOf({ geometry, dataRuns }: Layout): (table: number) => readonly DataRun[] {
  let at = 0;
  return (table) => {
    const start = table * geometry.entriesPerL2;
    const end = start + geometry.entriesPerL2;
    const isBefore = (run: DataRun | undefined): boolean => run !== undefined && run.guestCluster + run.count <= start;
    while (isBefore(dataRuns[at])) at++;
    let last = at;
    while ((dataRuns[last]?.guestCluster ?? end) < end) last++;
    return dataRuns.slice(at, last);
  };
}

function writeOffsets(bytes: Uint8Array, clusters: readonly number[], clusterBytes: number, flag: number): void {
  const view = new DataView(bytes.buffer);
  for (const [index, cluster] of clusters.entries()) {
    writeOffset(view, index * TABLE_ENTRY_BYTES, cluster * clusterBytes, flag);
  }
}

/** In two halves: a table of bigints would hold the event loop for long. `>>> 0` takes the lower one. */
function writeOffset(view: DataView, at: number, offset: number, flag: number): void {
  view.setUint32(at, Math.floor(offset / WORD) + flag);
  view.setUint32(at + 4, offset >>> 0);
}
