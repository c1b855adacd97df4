import { type CancelSignal, pause } from "../cancel-signal.js";
import { type AutostartPauses, pauseBefore, STANDARD_PAUSES } from "./autostart.js";
import type { Pool } from "./pool.js";

/**
 * A pool that was running when the daemon began, and whose storage gave no answer in time: it is active, and nothing is known of
 * what is in it. It is refreshed after the pauses of an autostart until that is no longer so.
 *
 * @param refresh as an administrator's, with its job and event; a pool that fails for another reason than time is stopped by it
 */
export async function lookUntilSeen(
  pool: Pool,
  refresh: () => Promise<void>,
  stopping: CancelSignal,
  pauses: AutostartPauses,
): Promise<void> {
  const { firstMs, longestMs } = pauses.longestMs === null ? STANDARD_PAUSES : pauses;
  for (let attempt = 2; ; attempt++) {
    const pauseMs = pauseBefore(attempt, { firstMs, longestMs });
    await pause(pauseMs, stopping, { ref: false });
    if (stopping.aborted || !pool.active || !pool.isUnseen) return;
    // What failed is in the log, by its job.
    await refresh().catch(() => {});
  }
}
