import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { backingPathOf } from "../drivers/index.js";
import { limits } from "../limits.js";
import type { PoolBackends } from "../pools/activation.js";
import type { Pool } from "../pools/pool.js";
import type { PoolRegistry } from "../pools/registry.js";
import type { Volume } from "../pools/volume.js";
import { lookAt, type PlacedVolume } from "./work.js";

/** What a volume is to the image that rests on it, as it is said to people. */
type Role = "backing store" | "data file";

/**
 * Who is built on a volume: overlays, in any active pool, whose backing store or data file it is. By path, and where a path
 * leads elsewhere than it says (a symlink, a bind mount, a second pool over the same directory) by device and inode.
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
    await this.#readUploaded();
    const user = this.#byPath(placed.volume.document.target.path, except) ?? (await this.#byIdentity(placed, except));
    if (user === null) return;
    const overlays = this.#upwards(user.overlay);
    // Built on itself in the end: such an image cannot be read, and whoever cleans up has to begin somewhere.
    if (overlays.some(({ volume }) => volume === placed.volume)) return;
    const chain = [...overlays.reverse(), placed].map(nameOf).join(" -> ");
    throw LibvirtError.of(
      ErrorCode.OPERATION_INVALID,
      ErrorDomain.STORAGE,
      `volume '${placed.volume.name}' is still in use. It is the ${user.role} of ${nameOf(user.overlay)} (${chain})`,
    );
  }

  /** The overlays that are built on it directly. */
  async overlaysOn(placed: PlacedVolume): Promise<PlacedVolume[]> {
    const own = await this.#identityOf(placed.pool.live.target.path, placed.volume.document.target.path);
    const path = placed.volume.document.target.path;
    const found = new Set<PlacedVolume>();
    await this.#readUploaded();
    await this.#forEach(this.#overlays(null), async (overlay) => {
      if (overlay.volume === placed.volume) return;
      for (const { path: below } of belowOf(overlay.volume)) {
        const isOn = below === path || (own !== null && (await this.#identityOf(below, below)) === own);
        if (isOn) found.add(overlay);
      }
    });
    return [...found];
  }

  /** All volumes of active pools that overlays are built on, as `overlaysOn` would say of each. */
  async bases(): Promise<ReadonlySet<Volume>> {
    await this.#readUploaded();
    const overlays = [...this.#overlays(null)];
    const paths = new Set(overlays.flatMap(({ volume }) => belowOf(volume).map(({ path }) => path)));
    const identities = new Set<string>();
    await this.#forEach(paths, async (path) => {
      const identity = await this.#identityOf(path, path);
      if (identity !== null) identities.add(identity);
    });
    const bases = new Set<Volume>();
    if (paths.size === 0) return bases;
    const unseen: PlacedVolume[] = [];
    for (const placed of this.#volumes()) {
      const { document, evidence } = placed.volume;
      if (document.target.path !== null && paths.has(document.target.path)) bases.add(placed.volume);
      else if (evidence === null) unseen.push(placed);
      else if (identities.has(`${evidence.device}:${evidence.inode}`)) bases.add(placed.volume);
    }
    await this.#forEach(unseen, async ({ pool, volume }) => {
      const identity = await this.#identityOf(pool.live.target.path, volume.document.target.path);
      if (identity !== null && identities.has(identity)) bases.add(volume);
    });
    return bases;
  }

  *#volumes(): Iterable<PlacedVolume> {
    for (const pool of this.#registry) {
      if (!pool.active) continue;
      for (const volume of pool.volumes) yield { pool, volume };
    }
  }

  async #forEach<T>(items: Iterable<T>, look: (item: T) => Promise<void>): Promise<void> {
    const rest = items[Symbol.iterator]();
    const lookAtNext = async (): Promise<void> => {
      for (let next = rest.next(); next.done !== true; next = rest.next()) await look(next.value);
    };
    await Promise.all(Array.from({ length: limits.backingFilesAtOnce }, lookAtNext));
  }

  *#overlays(except: Pool | null): Iterable<PlacedVolume> {
    for (const pool of this.#registry) {
      if (!pool.active || pool === except) continue;
      for (const volume of pool.volumes.overlays) yield { pool, volume };
    }
  }

  /**
   * What an upload has brought and no scan has seen yet is read now, also while it goes on: what came later, came later than
   * the question. Of what cannot be read, nobody knows that it is built on anything.
   */
  async #readUploaded(): Promise<void> {
    for (const pool of this.#registry) {
      if (!pool.active || pool.changes.unread.size === 0) continue;
      const unread = [...pool.changes.unread].filter((volume) => pool.volumes.get(volume.name) === volume);
      await this.#forEach(unread, async (volume) => {
        for (let looks = 0; looks < limits.looksAtUpload; looks++) {
          // Not taken over: a writer has come or gone.
          if (await lookAt({ pool, volume }, true, this.#backends).catch(() => true)) return;
        }
      });
    }
  }

  #byPath(path: string | null, except: Pool | null = null): User | null {
    if (path === null) return null;
    for (const overlay of this.#overlays(except)) {
      if (backingPathOf(overlay.volume.document) === path) return { overlay, role: "backing store" };
      if (overlay.volume.dataFile === path) return { overlay, role: "data file" };
    }
    return null;
  }

  /** The overlay, what is built on it, and so on up. */
  #upwards(first: PlacedVolume): PlacedVolume[] {
    const chain = [first];
    while (chain.length < limits.shownChain) {
      const next = this.#byPath(chain.at(-1)?.volume.document.target.path ?? null)?.overlay;
      if (next === undefined || chain.some(({ volume }) => volume === next.volume)) break;
      chain.push(next);
    }
    return chain;
  }

  async #byIdentity({ pool, volume }: PlacedVolume, except: Pool | null): Promise<User | null> {
    const byPath = new Map<string, User>();
    for (const overlay of this.#overlays(except)) {
      if (overlay.volume === volume) continue;
      for (const { path, role } of belowOf(overlay.volume)) byPath.set(path, { overlay, role });
    }
    if (byPath.size === 0) return null;
    const own = await this.#identityOf(pool.live.target.path, volume.document.target.path);
    if (own === null) return null;
    let found: User | null = null;
    await this.#forEach(byPath, async ([path, user]) => {
      if (found === null && (await this.#identityOf(path, path)) === own) found = user;
    });
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

interface User {
  readonly overlay: PlacedVolume;
  readonly role: Role;
}

/** The files on this machine that its image rests on. */
function belowOf({ document, dataFile }: Volume): { readonly path: string; readonly role: Role }[] {
  const backing = backingPathOf(document);
  return [
    ...(backing === null ? [] : [{ path: backing, role: "backing store" as const }]),
    ...(dataFile === null ? [] : [{ path: dataFile, role: "data file" as const }]),
  ];
}

function nameOf({ pool, volume }: PlacedVolume): string {
  return `'${pool.name}/${volume.name}'`;
}
