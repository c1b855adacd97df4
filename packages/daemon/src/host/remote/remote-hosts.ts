import { hostLimits } from "../../limits.js";
import type { Host, Identity } from "../host.js";
import type { Mount } from "../mounts.js";
import { findGuard } from "../run.js";
import { ChildRegistry } from "./child-registry.js";
import { RemoteHost, type RemoteHostOptions } from "./remote-host.js";

/**
 * One home per mount of storage that can hang, so that one server that is down hurts nobody but its own pools; and one more
 * for each user who makes calls there instead of root.
 */
export class RemoteHosts {
  readonly #options: RemoteHostOptions;
  readonly #hosts = new Map<string, RemoteHost>();
  readonly #registry = new ChildRegistry();

  constructor(options: RemoteHostOptions) {
    this.#options = options;
  }

  at(mount: Mount): RemoteHost {
    return this.#at(mount, null);
  }

  /** null: only root can become somebody else, and that not without setpriv. */
  async as(mount: Mount, { owner, group }: Identity): Promise<Host | null> {
    const guard = await findGuard();
    if (guard === null || process.getuid?.() !== 0) return null;
    return this.#at(mount, { owner, group, guard });
  }

  close(): Promise<void> {
    return this.#registry.close();
  }

  #at(mount: Mount, identity: (Identity & { readonly guard: string }) | null): RemoteHost {
    const { mountPoint } = mount;
    const key = identity === null ? mountPoint : `${mountPoint}\0${identity.owner}\0${identity.group}`;
    const known = this.#hosts.get(key);
    if (known !== undefined) return known;
    this.#forgetUnused();
    const as = (_: string, other: Identity) => this.as(mount, other);
    const host = new RemoteHost({ ...this.#options, mountPoint, identity, registry: this.#registry, as });
    this.#hosts.set(key, host);
    return host;
  }

  /** Mounts come and go; their homes need not be remembered. */
  #forgetUnused(): void {
    if (this.#hosts.size < hostLimits.remoteHomes) return;
    for (const [key, host] of this.#hosts) if (!host.isInUse) this.#hosts.delete(key);
  }
}
