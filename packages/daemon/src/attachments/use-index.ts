import type { Pool } from "../pools/pool.js";
import type { Volume } from "../pools/volume.js";
import { isRemoteVolume } from "./identity/remote.js";
import type { KnownDomain } from "./model.js";
import type { Use } from "./use.js";

/** A guest with what it uses. */
export interface DomainUses {
  readonly domain: KnownDomain;
  readonly uses: readonly Use[];
}

interface Entry {
  readonly owner: DomainUses;
  readonly use: Use;
}

/** Uses by what they are found by, so that who uses a volume is known without a look at all of them. */
export class UseIndex {
  readonly #byKey = new Map<string, Set<Entry>>();
  readonly #remote = new Set<Entry>();
  readonly #entries = new Map<DomainUses, Entry[]>();

  add(owner: DomainUses): void {
    const entries = owner.uses.map((use) => ({ owner, use }));
    this.#entries.set(owner, entries);
    for (const entry of entries) {
      for (const key of keysOf(entry.use)) {
        const same = this.#byKey.get(key);
        if (same === undefined) this.#byKey.set(key, new Set([entry]));
        else same.add(entry);
      }
      if (entry.use.remote !== null) this.#remote.add(entry);
    }
  }

  remove(owner: DomainUses): void {
    for (const entry of this.#entries.get(owner) ?? []) {
      for (const key of keysOf(entry.use)) {
        const same = this.#byKey.get(key);
        same?.delete(entry);
        if (same?.size === 0) this.#byKey.delete(key);
      }
      this.#remote.delete(entry);
    }
    this.#entries.delete(owner);
  }

  /** Those that are this volume; `identity`: what it leads to now, where somebody has just looked. */
  ofVolume(pool: Pool, volume: Volume, identity: string | null = volume.identity): Entry[] {
    const found = new Set<Entry>();
    const { path } = volume.document.target;
    for (const key of [identity, path === null ? null : pathKey(path), volumeKey(pool.name, volume.name)]) {
      for (const entry of (key === null ? undefined : this.#byKey.get(key)) ?? []) found.add(entry);
    }
    for (const entry of this.#remote) {
      if (entry.use.remote !== null && isRemoteVolume(pool.live, volume.document, entry.use.remote)) found.add(entry);
    }
    return [...found];
  }
}

function keysOf({ identity, place, realPath, named }: Use): Set<string> {
  const keys = new Set([pathKey(place)]);
  if (identity !== null) keys.add(identity);
  if (realPath !== null) keys.add(pathKey(realPath));
  if (named !== null) keys.add(volumeKey(named.pool, named.volume));
  return keys;
}

function pathKey(path: string): string {
  return `path:${path}`;
}

function volumeKey(pool: string, volume: string): string {
  return `volume:${pool}/${volume}`;
}
