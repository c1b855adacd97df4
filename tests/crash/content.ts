import { open, stat } from "node:fs/promises";

/** What is compared at once; what is equal to neither is looked at byte by byte, because writes end anywhere. */
const BLOCK_BYTES = 4096;

/** Bytes that nothing else has: the same for the same seed. */
export function contentOf(seed: number, bytes: number): Buffer {
  const content = Buffer.alloc(bytes);
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  for (let offset = 0; offset + 4 <= bytes; offset += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    content.writeUInt32LE(state >>> 0, offset);
  }
  return content;
}

export async function readAll(path: string): Promise<Buffer> {
  await using file = await open(path, "r");
  return await file.readFile();
}

/** Of contents of one length: whether `found` is the first, is the second, and where it has a byte of neither. */
export function compareContents(found: Buffer, first: Buffer, second: Buffer) {
  let asFirst = true;
  let asSecond = true;
  let foreignAt: number | null = null;
  for (let offset = 0; offset < found.length; offset += BLOCK_BYTES) {
    const block = found.subarray(offset, offset + BLOCK_BYTES);
    const isFirst = block.equals(first.subarray(offset, offset + BLOCK_BYTES));
    const isSecond = block.equals(second.subarray(offset, offset + BLOCK_BYTES));
    asFirst &&= isFirst;
    asSecond &&= isSecond;
    if (isFirst || isSecond) continue;
    const at = block.findIndex((byte, index) => byte !== first[offset + index] && byte !== second[offset + index]);
    if (at >= 0) foreignAt ??= offset + at;
  }
  return { asFirst, asSecond, foreignAt };
}

export async function allocatedBytes(path: string): Promise<number> {
  return (await stat(path)).blocks * 512;
}
