import { hostLimits } from "../../limits.js";
import { throwIfAborted } from "../deadline.js";
import type { BulkOptions, CallOptions, CopiedRange, File } from "../host.js";

/** Work over whole files, in blocks, through the File interface alone: both files may live in any home. */

const zeros = Buffer.alloc(hostLimits.copyBlockBytes);

export async function overwriteWithZeros(
  file: File,
  offsetBytes: bigint,
  lengthBytes: bigint,
  options: BulkOptions | undefined,
): Promise<void> {
  for (let done = 0n; done < lengthBytes; ) {
    throwIfAborted(`Overwriting "${file.path}"`, options?.signal);
    const length = smaller(lengthBytes - done, BigInt(hostLimits.copyBlockBytes));
    await file.overwrite(
      offsetBytes + done,
      length,
      "zeros",
      options?.signal === undefined ? {} : { signal: options.signal },
    );
    done += length;
    options?.progress?.(done, lengthBytes);
  }
}

/** One block of a copy between two homes. */
export async function copyBlock(
  source: File,
  target: File,
  sourceOffset: bigint,
  targetOffset: bigint,
  lengthBytes: bigint,
  options: CallOptions | undefined,
): Promise<CopiedRange> {
  const length = smaller(lengthBytes, BigInt(hostLimits.copyBlockBytes));
  const block = await source.read(sourceOffset, Number(length), options);
  if (block.length > 0) await target.write(targetOffset, block, options);
  return { copiedBytes: BigInt(block.length), way: "buffered" };
}

/** A sparse copy expects a target that reads as zeros, and leaves it as long as what was copied. */
export async function copyBetween(
  source: File,
  target: File,
  lengthBytes: bigint,
  options: (BulkOptions & { readonly sparse?: boolean }) | undefined,
): Promise<void> {
  const total = smaller(lengthBytes, await source.sizeBytes());
  const sparse = options?.sparse ?? false;
  let done = 0n;
  /** End of the run of data that `done` lies in. */
  let dataEnd = sparse ? 0n : total;
  while (done < total) {
    throwIfAborted(`Copying "${source.path}" to "${target.path}"`, options?.signal);
    if (done >= dataEnd) {
      done = smaller((await source.seekData(done)) ?? total, total);
      options?.progress?.(done, total);
      if (done === total) break;
      dataEnd = smaller(await source.seekHole(done), total);
      // A hole was punched where data was just seen: read a block of it all the same, rather than ask for ever.
      if (dataEnd <= done) dataEnd = smaller(done + BigInt(hostLimits.copyBlockBytes), total);
    }
    const block = await source.read(done, Number(smaller(dataEnd - done, BigInt(hostLimits.copyBlockBytes))));
    // The source was shortened meanwhile.
    if (block.length === 0) break;
    if (sparse) await writeNonZeroRuns(target, done, block);
    else await target.write(done, block);
    done += BigInt(block.length);
    options?.progress?.(done, total);
  }
  if (sparse && (await target.sizeBytes()) < done) await target.truncate(done);
}

async function writeNonZeroRuns(target: File, offsetBytes: bigint, block: Uint8Array): Promise<void> {
  const step = hostLimits.sparseBlockBytes;
  let runStart = -1;
  for (let start = 0; start < block.length; start += step) {
    const piece = block.subarray(start, start + step);
    const empty = zeros.compare(piece, 0, piece.length, 0, piece.length) === 0;
    if (!empty && runStart < 0) runStart = start;
    if (empty && runStart >= 0) {
      await target.write(offsetBytes + BigInt(runStart), block.subarray(runStart, start));
      runStart = -1;
    }
  }
  if (runStart >= 0) await target.write(offsetBytes + BigInt(runStart), block.subarray(runStart));
}

function smaller(left: bigint, right: bigint): bigint {
  return left < right ? left : right;
}
