import { posix } from "node:path";
import { type Host, HostError, identityOf } from "../host/index.js";
import { limits } from "../limits.js";
import type { Pool } from "../pools/pool.js";
import type { PoolRegistry } from "../pools/registry.js";
import type { Volume } from "../pools/volume.js";
import type { Silences } from "./identity/silences.js";

/**
 * Finds out what volumes lead to of which neither a scan nor their creation has told it: those of pools of devices. Those of a volume whose
 * storage does not answer are asked for again with the pool's next refresh; until then its path is what it is found by.
 */
export class VolumeIdentities {
  readonly #pools: PoolRegistry;
  readonly #hostAt: (path: string) => Promise<Host>;
  readonly #silences: Silences;
  readonly #inVain = new WeakSet<Volume>();
  #running: Promise<void> | null = null;

  constructor(pools: PoolRegistry, hostAt: (path: string) => Promise<Host>, silences: Silences) {
    this.#pools = pools;
    this.#silences = silences;
    this.#hostAt = hostAt;
  }

  /** After a refresh: numbers of devices may be others' by now. Of files, the scan has told it. */
  forget(pool: Pool): void {
    for (const volume of [...pool.volumes]) {
      this.#inVain.delete(volume);
      if (volume.identity?.startsWith("block:") === true) pool.volumes.identify(volume, null);
    }
  }

  /** Resolves when nothing is left to be found out. Never rejects. */
  catchUp(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** null: it is not there, or its storage does not answer in that time. */
  async look(volume: Volume, timeoutMs: number): Promise<string | null> {
    const { path } = volume.document.target;
    if (path === null || !path.startsWith("/")) return null;
    try {
      const host = await this.#hostAt(path);
      if (this.#silences.isSilent(host, posix.dirname(path))) return null;
      const facts = await host.facts(path, { timeoutMs }).catch((error: unknown) => {
        // Who has less patience says nothing about the storage.
        const isSilent =
          error instanceof HostError && error.code === "ETIMEDOUT" && timeoutMs >= limits.attachmentLookMs;
        if (isSilent) this.#silences.add(host, posix.dirname(path));
        throw error;
      });
      return identityOf(facts);
    } catch (error) {
      if (error instanceof HostError) return null;
      throw error;
    }
  }

  async #run(): Promise<void> {
    const waiting = this.#waiting();
    const work = async (): Promise<void> => {
      for (const { pool, volume } of waiting) {
        const identity = await this.look(volume, limits.attachmentLookMs);
        if (identity === null) this.#inVain.add(volume);
        else pool.volumes.identify(volume, identity);
      }
    };
    await Promise.all(Array.from({ length: limits.attachmentLooksAtOnce }, work));
  }

  *#waiting(): Generator<{ readonly pool: Pool; readonly volume: Volume }> {
    for (const pool of this.#pools) {
      if (!pool.active) continue;
      for (const volume of [...pool.volumes.unidentified]) {
        if (!this.#inVain.has(volume) && !volume.building) yield { pool, volume };
      }
    }
  }
}
