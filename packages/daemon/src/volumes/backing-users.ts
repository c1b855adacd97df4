import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { limits } from "../limits.js";
import type { PoolBackends } from "../pools/activation.js";
import type { Pool } from "../pools/pool.js";
import type { PoolRegistry } from "../pools/registry.js";
import type { PlacedVolume } from "./work.js";

/**
 * Who is built on a volume: overlays, in any active pool, whose backing store it is. By path, and where a path leads
 * elsewhere than it says (a symlink, a bind mount, a second pool over the same directory) by device and inode.
 */
export class BackingUsers {
  readonly #registry: PoolRegistry;
  readonly #backends: PoolBackends;

  constructor(registry: PoolRegistry, backends: PoolBackends) {
    this.#registry = registry;
    this.#backends = backends;
  }

  /**
   * 55 with the chain, from the topmost overlay down to the volume: deleting it would destroy them all. Those of the pool
   * `except` are wanted to go.
   */
  async refuseIfAny(placed: PlacedVolume, except: Pool | null = null): Promise<void> {
    const user = this.#byPath(placed.volume.document.target.path, except) ?? (await this.#byIdentity(placed, except));
    if (user === null) return;
    const overlays = this.#upwards(user);
    // Built on itself in the end: such an image cannot be read, and whoever cleans up has to begin somewhere.
    if (overlays.some(({ volume }) => volume === placed.volume)) return;
    const chain = [...overlays.reverse(), placed].map(nameOf).join(" -> ");
    throw LibvirtError.of(
      ErrorCode.OPERATION_INVALID,
      ErrorDomain.STORAGE,
      `volume '${placed.volume.name}' is still in use. It is the backing store of ${nameOf(user)} (${chain})`,
    );
  }

  *#overlays(except: Pool | null): Iterable<PlacedVolume> {
    for (const pool of this.#registry) {
      if (!pool.active || pool === except) continue;
      for (const volume of pool.volumes.overlays) yield { pool, volume };
    }
  }

  #byPath(path: string | null, except: Pool | null = null): PlacedVolume | null {
    if (path === null) return null;
    for (const overlay of this.#overlays(except)) {
      if (backingPathOf(overlay) === path) return overlay;
    }
    return null;
  }

  /** The overlay, what is built on it, and so on up. */
  #upwards(first: PlacedVolume): PlacedVolume[] {
    const chain = [first];
    while (chain.length < limits.shownChain) {
      const next = this.#byPath(chain.at(-1)?.volume.document.target.path ?? null);
      if (next === null || chain.some(({ volume }) => volume === next.volume)) break;
      chain.push(next);
    }
    return chain;
  }

  async #byIdentity({ pool, volume }: PlacedVolume, except: Pool | null): Promise<PlacedVolume | null> {
    const byPath = new Map<string, PlacedVolume>();
    for (const overlay of this.#overlays(except)) {
      const path = backingPathOf(overlay);
      // What is another volume's own path leads there, unless two pools overlap.
      if (path !== null && overlay.volume !== volume) byPath.set(path, overlay);
    }
    if (byPath.size === 0) return null;
    const own = await this.#identityOf(pool.live.target.path, volume.document.target.path);
    if (own === null) return null;
    const paths = [...byPath].values();
    let found: PlacedVolume | null = null;
    const lookAtNext = async (): Promise<void> => {
      for (const [path, overlay] of paths) {
        if (found !== null) return;
        if ((await this.#identityOf(path, path)) === own) found = overlay;
      }
    };
    await Promise.all(Array.from({ length: limits.backingFilesAtOnce }, lookAtNext));
    return found;
  }

  /** null: gone, on storage that does not answer, or of no file. `place`: by which its home is chosen. */
  async #identityOf(place: string | null, path: string | null): Promise<string | null> {
    if (place === null || path === null || !path.startsWith("/")) return null;
    try {
      const host = await this.#backends.hostAt(place);
      const { device, inode } = await host.facts(path, { timeoutMs: limits.backingFilesMs });
      return `${device}:${inode}`;
    } catch {
      return null;
    }
  }
}

function backingPathOf({ volume }: PlacedVolume): string | null {
  return volume.document.backingStore?.path ?? null;
}

function nameOf({ pool, volume }: PlacedVolume): string {
  return `'${pool.name}/${volume.name}'`;
}
