import { type File, hostLimits } from "../../host/index.js";
import type { Job } from "../../jobs/job.js";
import { throwIfCalledOff } from "./failure.js";

export interface SpaceRequest {
  readonly offsetBytes: bigint;
  readonly lengthBytes: bigint;
  /** See `File.allocate`. */
  readonly keepSize?: boolean;
  /** Nobody will see the file when this is called off: a step under way is not waited for. */
  readonly isNew?: boolean;
}

/**
 * Allocates a range in steps, and says after each how much of it is there. Most file systems allocate gigabytes in a
 * millisecond, others write zeros: the steps are as long as these take little time, so that others hear early what is taken,
 * and a job that is called off ends soon. Then nothing goes on behind the caller's back, who may undo what was done.
 */
export async function allocateSpace(
  file: File,
  { offsetBytes, lengthBytes, keepSize = false, isNew = false }: SpaceRequest,
  { signal }: Job,
  allocated: (doneBytes: bigint) => void,
): Promise<void> {
  const { allocateLeastBytes, allocateMostBytes, allocateStepMs } = hostLimits;
  let stepBytes = allocateLeastBytes;
  for (let doneBytes = 0n; doneBytes < lengthBytes; ) {
    throwIfCalledOff(signal, `allocating space in '${file.path}' was given up`);
    const leftBytes = lengthBytes - doneBytes;
    const step = leftBytes < stepBytes ? leftBytes : stepBytes;
    const startedAtMs = performance.now();
    await file.allocate(offsetBytes + doneBytes, step, { keepSize, ...(isNew ? { signal } : {}) });
    const tookMs = performance.now() - startedAtMs;
    doneBytes += step;
    allocated(doneBytes);
    if (tookMs < allocateStepMs / 2 && stepBytes < allocateMostBytes) stepBytes *= 2n;
    else if (tookMs > allocateStepMs && stepBytes > allocateLeastBytes) stepBytes /= 2n;
  }
}
