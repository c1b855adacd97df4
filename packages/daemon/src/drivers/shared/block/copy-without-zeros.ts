import type { ByteRange, File } from "../../../host/host.js";
import { hostLimits } from "../../../host/index.js";
import type { CopyPlan } from "../copy-content.js";
import { failingAs, throwIfCalledOff } from "../failure.js";
import { lengthOf } from "../file-ranges.js";

/** What is nothing but zeros is looked for in pieces of this size: the least that snapshots of LVM store of a change. */
const PIECE_BYTES = 4_096;

/** Copies ranges into a device that shows zeros wherever nothing was written, writing nothing where the source has zeros. */
export async function copyWithoutZeros(
  source: File,
  target: File,
  ranges: AsyncIterable<ByteRange>,
  { context: { job }, sourcePath, targetPath }: Pick<CopyPlan, "context" | "sourcePath" | "targetPath">,
): Promise<void> {
  const { signal } = job;
  const detail = `failed to copy '${sourcePath}' to '${targetPath}'`;
  const totalBytes = await lengthOf(ranges);
  let doneBytes = 0n;
  job.progress(0n, totalBytes);
  job.way("copy by read and write, without zeros");
  for await (const { startBytes, endBytes } of ranges) {
    for (let atBytes = startBytes; atBytes < endBytes; ) {
      throwIfCalledOff(signal, detail);
      const leftBytes = endBytes - atBytes;
      const step = leftBytes < BLOCK_BYTES ? Number(leftBytes) : Number(BLOCK_BYTES);
      await job.pace(BigInt(step));
      const bytes = await failingAs(`failed reading from file '${sourcePath}'`, source.read(atBytes, step, { signal }));
      // The source was shortened meanwhile.
      if (bytes.length === 0) break;
      for (const [start, end] of dataIn(bytes)) {
        await failingAs(detail, target.write(atBytes + BigInt(start), bytes.subarray(start, end), { signal }));
      }
      atBytes += BigInt(bytes.length);
      doneBytes += BigInt(bytes.length);
      job.progress(doneBytes, doneBytes > totalBytes ? doneBytes : totalBytes);
    }
  }
}

const BLOCK_BYTES = BigInt(hostLimits.copyBlockBytes);
const zeros = Buffer.alloc(PIECE_BYTES);

/** Runs of pieces that are not all zeros. */
function* dataIn(bytes: Uint8Array): Iterable<[start: number, end: number]> {
  let start = -1;
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const end = Math.min(at + PIECE_BYTES, bytes.length);
    const isZero = zeros.compare(bytes, at, end, 0, end - at) === 0;
    if (!isZero && start < 0) start = at;
    if (isZero && start >= 0) {
      yield [start, at];
      start = -1;
    }
  }
  if (start >= 0) yield [start, bytes.length];
}
