import { availableParallelism } from "node:os";
import { setImmediate as nextTurn } from "node:timers/promises";
import { hostLimits } from "../../limits.js";
import { yieldProcessor } from "../system-calls.js";

/** The native threads have one of their own to run on. */
const mayLookOut = availableParallelism() > 1;
let answeredAtMs = Number.NEGATIVE_INFINITY;

/**
 * Waits for a short call without letting the event loop sleep: waking it takes longer than such a call. The loop goes round
 * as always meanwhile, and gives its processor away each time; after `longestMs`, and where no call came
 * shortly before, it sleeps (docs/decisions/0025-awake-for-the-next-call.md).
 */
export async function lookOutFor(
  isAnswered: () => boolean,
  longestMs: number = hostLimits.loopLookoutMs,
): Promise<void> {
  const nowMs = performance.now();
  if (!mayLookOut || nowMs > answeredAtMs + hostLimits.nativeLookoutMs) return;
  const endsAtMs = nowMs + longestMs;
  while (!isAnswered() && performance.now() < endsAtMs) {
    yieldProcessor();
    await nextTurn();
  }
}

/** The next call follows this answer closely, or does not. */
export function answered(): void {
  answeredAtMs = performance.now();
}
