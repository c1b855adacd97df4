import { hostLimits } from "../../host/index.js";
import type { Job } from "../../jobs/job.js";

const STEP_BYTES = BigInt(hostLimits.bulkStepBytes);
/** A step costs some 100 µs whatever it moves: smaller ones would only cost more. */
const SMALLEST_STEP_BYTES = BigInt(hostLimits.copyBlockBytes);
const STEPS_PER_SECOND = 4n;

/**
 * How much of what is left is moved at once. A job of limited bandwidth takes smaller steps: whoever limits it does not want
 * 64 MiB at full speed every minute.
 */
export function stepOf(leftBytes: bigint, { bandwidthBytesPerSecond }: Job): bigint {
  const limited = bandwidthBytesPerSecond === null ? STEP_BYTES : bandwidthBytesPerSecond / STEPS_PER_SECOND;
  const step = limited < SMALLEST_STEP_BYTES ? SMALLEST_STEP_BYTES : limited > STEP_BYTES ? STEP_BYTES : limited;
  return leftBytes < step ? leftBytes : step;
}
