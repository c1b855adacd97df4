import { hostLimits } from "../../limits.js";
import { throwIfAborted } from "../deadline.js";
import type { BulkOptions, CallOptions, CopiedRange, File } from "../host.js";

/** Work over whole files, in blocks, through the File interface alone: both files may live in any home. */

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

function smaller(left: bigint, right: bigint): bigint {
  return left < right ? left : right;
}
