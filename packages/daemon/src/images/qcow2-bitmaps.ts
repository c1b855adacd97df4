import { decodeUtf8 } from "@cistern/protocol";
import { imageLimits } from "../limits.js";
import type { Qcow2Bitmap, Qcow2List } from "./image-details.js";
import { type BoundedSource, NotRead } from "./image-source.js";
import type { BitmapDirectory } from "./qcow2-extensions.js";
import { TableCursor } from "./table-cursor.js";

/*
 * An entry of the directory:  0 table offset 8, 8 table size 4, 12 flags 4, 16 type 1, 17 granularity bits 1,
 * 18 name length 2, 20 extra length 4; then extra, name; padded to 8.
 */
const ENTRY_BYTES = 24;
const IN_USE = 1;
const RECORDING = 2;

export const NO_BITMAPS: Qcow2List<Qcow2Bitmap> = { count: 0, listed: [] };

/** The persistent bitmaps of an image, the first ones up to the limit; those before a damaged entry. */
export async function bitmapsOf(
  { count, offsetBytes, lengthBytes }: BitmapDirectory,
  isListed: boolean,
  bounded: BoundedSource,
): Promise<Qcow2List<Qcow2Bitmap>> {
  const listed: Qcow2Bitmap[] = [];
  if (!isListed || count === 0) return { count, listed };
  const table = new TableCursor("The bitmap directory", offsetBytes, offsetBytes + lengthBytes, bounded);
  await bounded.attempt(undefined, async () => {
    while (listed.length < Math.min(count, imageLimits.listed)) listed.push(await nextBitmap(table));
  });
  return { count, listed };
}

async function nextBitmap(table: TableCursor): Promise<Qcow2Bitmap> {
  const entry = await table.take(ENTRY_BYTES);
  const flags = entry.u32(12);
  const granularityBits = entry.u8(17);
  const nameBytes = entry.u16(18);
  const extraBytes = entry.u32(20);
  if (nameBytes > imageLimits.bitmapNameBytes || extraBytes > 0 || granularityBits > 63) {
    throw new NotRead(`A bitmap has a name of ${nameBytes} and ${extraBytes} further bytes, by 2^${granularityBits}.`);
  }
  const name = await table.take(Math.ceil(nameBytes / 8) * 8);
  return {
    name: decodeUtf8(name.part(0, nameBytes)),
    granularityBytes: 1n << BigInt(granularityBits),
    isInUse: (flags & IN_USE) !== 0,
    isRecording: (flags & RECORDING) !== 0,
  };
}
