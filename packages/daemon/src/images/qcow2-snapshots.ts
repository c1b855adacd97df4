import { decodeUtf8 } from "@cistern/protocol";
import { imageLimits } from "../limits.js";
import type { Qcow2List, Qcow2Snapshot } from "./image-details.js";
import { type BoundedSource, NotRead } from "./image-source.js";
import { TableCursor } from "./table-cursor.js";

/*
 * An entry:  0 L1 table offset 8, 8 L1 size 4, 12 id length 2, 14 name length 2, 16 seconds 4, 20 nanoseconds 4,
 * 24 guest clock 8, 32 VM state size 4, 36 extra length 4; then extra (0 VM state size 8, 8 virtual size 8), id, name;
 * padded to 8.
 */
const ENTRY_BYTES = 40;
const NS_PER_SECOND = 1_000_000_000n;

export const NO_SNAPSHOTS: Qcow2List<Qcow2Snapshot> = { count: 0, listed: [] };

/** The snapshots of an image, the first ones up to the limit; those before a damaged entry. */
export async function snapshotsOf(
  count: number,
  tableOffsetBytes: bigint,
  isListed: boolean,
  bounded: BoundedSource,
): Promise<Qcow2List<Qcow2Snapshot>> {
  const listed: Qcow2Snapshot[] = [];
  if (!isListed || count === 0) return { count, listed };
  const table = new TableCursor("The snapshot table", tableOffsetBytes, bounded.sizeBytes, bounded);
  await bounded.attempt(undefined, async () => {
    while (listed.length < Math.min(count, imageLimits.listed)) listed.push(await nextSnapshot(table));
  });
  return { count, listed };
}

async function nextSnapshot(table: TableCursor): Promise<Qcow2Snapshot> {
  const entry = await table.take(ENTRY_BYTES);
  const idBytes = entry.u16(12);
  const nameBytes = entry.u16(14);
  const extraBytes = entry.u32(36);
  const longest = imageLimits.snapshotTextBytes;
  if (idBytes > longest || nameBytes > longest || extraBytes > imageLimits.snapshotExtraBytes) {
    throw new NotRead(`A snapshot has an id of ${idBytes}, a name of ${nameBytes} and ${extraBytes} further bytes.`);
  }
  const length = extraBytes + idBytes + nameBytes;
  const texts = await table.take(Math.ceil(length / 8) * 8).catch((thrown: unknown) => {
    // The last entry needs no padding.
    if (thrown instanceof NotRead) return table.take(length);
    throw thrown;
  });
  return {
    id: decodeUtf8(texts.part(extraBytes, idBytes)),
    name: decodeUtf8(texts.part(extraBytes + idBytes, nameBytes)),
    createdNs: BigInt(entry.u32(16)) * NS_PER_SECOND + BigInt(entry.u32(20)),
    guestClockNs: entry.u64(24),
    vmStateBytes: extraBytes >= 8 ? texts.u64(0) : BigInt(entry.u32(32)),
    virtualSizeBytes: extraBytes >= 16 ? texts.u64(8) : null,
  };
}
