import type { Host } from "../../host/index.js";
import { limits } from "../../limits.js";

/**
 * Storage that did not answer lately: it is not asked again for a while, so that a thousand disks there do not each wait for it.
 * Of storage that can hang that is the whole mount, of other storage a directory.
 */
export class Silences {
  readonly #mounts = new WeakMap<Host, number>();
  readonly #directories = new Map<string, number>();

  isSilent(host: Host, directory: string): boolean {
    const untilMs = host.home === "remote" ? this.#mounts.get(host) : this.#directories.get(directory);
    return untilMs !== undefined && performance.now() < untilMs;
  }

  add(host: Host, directory: string): void {
    const untilMs = performance.now() + limits.silenceMs;
    if (host.home === "remote") {
      this.#mounts.set(host, untilMs);
      return;
    }
    if (this.#directories.size >= limits.silentDirectories) this.#directories.clear();
    this.#directories.set(directory, untilMs);
  }
}
