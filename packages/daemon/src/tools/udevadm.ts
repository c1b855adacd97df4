import type { Command } from "../host/host.js";

/** Waits until udev has made the nodes and links of what changed; after so many seconds it gives up (exit status 1). */
export function udevSettle(timeoutSeconds: number): Command {
  return { program: "udevadm", args: ["settle", `--timeout=${timeoutSeconds}`] };
}
