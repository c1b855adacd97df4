import { hostLimits } from "../../limits.js";
import type { Mount } from "../mounts.js";
import { ChildRegistry } from "./child-registry.js";
import { RemoteHost, type RemoteHostOptions } from "./remote-host.js";

/** One home per mount of storage that can hang, so that one server that is down hurts nobody but its own pools. */
export class RemoteHosts {
  readonly #options: RemoteHostOptions;
  readonly #hosts = new Map<string, RemoteHost>();
  readonly #registry = new ChildRegistry();

  constructor(options: RemoteHostOptions) {
    this.#options = options;
  }

  at(mount: Mount): RemoteHost {
    const known = this.#hosts.get(mount.mountPoint);
    if (known !== undefined) return known;
    this.#forgetUnused();
    const host = new RemoteHost(mount.mountPoint, this.#options, this.#registry);
    this.#hosts.set(mount.mountPoint, host);
    return host;
  }

  close(): Promise<void> {
    return this.#registry.close();
  }

  /** Mounts come and go; their homes need not be remembered. */
  #forgetUnused(): void {
    if (this.#hosts.size < hostLimits.remoteHomes) return;
    for (const [mountPoint, host] of this.#hosts) if (!host.isInUse) this.#hosts.delete(mountPoint);
  }
}
