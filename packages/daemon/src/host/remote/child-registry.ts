import { setTimeout as delay } from "node:timers/promises";
import { hostLimits } from "../../limits.js";
import { hostError } from "../errors.js";
import type { RemoteChild } from "./remote-child.js";

/** All children of all remote homes, so that their number stays limited and none is forgotten at the end. */
export class ChildRegistry {
  /** Those that take calls. */
  readonly #children = new Set<RemoteChild>();
  /** Those that have not yet vanished. */
  readonly #processes = new Set<RemoteChild>();
  #closed = false;

  /** Room for one more child: an idle one ends for it. EAGAIN where all are busy. */
  makeRoom(storage: string): void {
    if (this.#closed) throw hostError("ECANCELED", `"${storage}" is not served any more`);
    if (this.#children.size < hostLimits.remoteChildren) return;
    const idle = [...this.#children].find((child) => child.isIdle);
    if (idle === undefined) throw hostError("EAGAIN", `"${storage}": too many mounts are in use at one time`);
    idle.release();
  }

  started(child: RemoteChild): void {
    this.#children.add(child);
    this.#processes.add(child);
  }

  ended(child: RemoteChild): void {
    this.#children.delete(child);
  }

  gone(child: RemoteChild): void {
    this.#processes.delete(child);
  }

  /** Children end by themselves within a moment; those that do not are killed and left behind. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const child of [...this.#children]) child.release();
    const deadline = performance.now() + hostLimits.remoteCloseMs;
    while (this.#processes.size > 0 && performance.now() < deadline) await delay(10);
    for (const child of [...this.#processes]) child.abandon(hostError("ESTALE", "The daemon ends"));
  }
}
