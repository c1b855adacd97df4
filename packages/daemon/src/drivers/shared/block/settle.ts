import type { CancelSignal } from "../../../cancel-signal.js";
import type { Host } from "../../../host/host.js";
import { hostLimits } from "../../../host/index.js";
import { udevSettle } from "../../../tools/udevadm.js";

const SECOND_MS = 1_000;

/** Waits until udev is done with what changed. Where there is no udev, or it hangs, there is nothing to wait for. */
export async function settle(host: Host, signal?: CancelSignal): Promise<void> {
  const timeoutMs = hostLimits.settleMs;
  const command = udevSettle(timeoutMs / SECOND_MS);
  // It gives up by itself; should it not, it is ended a little later.
  await host
    .run(command, { timeoutMs: timeoutMs + SECOND_MS, ...(signal === undefined ? {} : { signal }) })
    .catch(() => {});
}
