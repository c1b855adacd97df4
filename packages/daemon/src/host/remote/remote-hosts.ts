import { setTimeout as delay } from "node:timers/promises";
import { hostError } from "../errors.js";
import { hostLimits } from "../limits.js";
import type { Mount } from "../mounts.js";
import type { RemoteChild } from "./remote-child.js";
import { RemoteHost } from "./remote-host.js";

export interface RemoteHostsOptions {
  /** Deadline of a call. */
  readonly callMs: number;
  /** Where commands get their private directories. */
  readonly temporaryDirectory: () => Promise<string>;
}

/** One home per mount of storage that can hang, so that one server that is down hurts nobody but its own pools. */
export class RemoteHosts {
  readonly options: RemoteHostsOptions;
  readonly #hosts = new Map<string, RemoteHost>();
  readonly #children = new Set<RemoteChild>();
  readonly #processes = new Set<RemoteChild>();
  #closed = false;

  constructor(options: RemoteHostsOptions) {
    this.options = options;
  }

  at(mount: Mount): RemoteHost {
    const known = this.#hosts.get(mount.mountPoint);
    if (known !== undefined) return known;
    this.#forgetUnused();
    const host = new RemoteHost(mount.mountPoint, this);
    this.#hosts.set(mount.mountPoint, host);
    return host;
  }

  /** Room for one more child: an idle one ends for it. */
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

  /** Mounts come and go; their homes need not be remembered. */
  #forgetUnused(): void {
    if (this.#hosts.size < hostLimits.remoteChildren * 4) return;
    for (const [mountPoint, host] of this.#hosts) if (!host.isInUse) this.#hosts.delete(mountPoint);
  }
}
