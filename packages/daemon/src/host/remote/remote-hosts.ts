import { hostError } from "../errors.js";
import type { Host } from "../host.js";
import type { Mount } from "../mounts.js";

export interface RemoteHostsOptions {
  readonly callMs: number;
  readonly temporaryDirectory: () => Promise<string>;
}

export class RemoteHosts {
  readonly options: RemoteHostsOptions;
  constructor(options: RemoteHostsOptions) {
    this.options = options;
  }
  at(mount: Mount): Host {
    throw hostError("ENOSYS", `"${mount.mountPoint}" is on storage that can hang`);
  }
  async close(): Promise<void> {}
}
