import { hostLimits } from "../../host/index.js";
import type { Job } from "../../jobs/job.js";

const LONGEST = BigInt(hostLimits.bulkStepBytes);
const SHORTEST = 1_048_576n;
/** A limited job moves a little several times a second, not much now and then. */
const STEPS_PER_SECOND = 8n;

/** How much of what is left is moved at once. */
export function bulkStep(leftBytes: bigint, { bandwidthBytesPerSecond }: Job): bigint {
  const paced = bandwidthBytesPerSecond === null ? LONGEST : bandwidthBytesPerSecond / STEPS_PER_SECOND;
  const step = paced > LONGEST ? LONGEST : paced < SHORTEST ? SHORTEST : paced;
  return leftBytes < step ? leftBytes : step;
}
