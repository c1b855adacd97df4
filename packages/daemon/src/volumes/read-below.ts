import type { CancelSignal } from "../cancel-signal.js";
import { backingPathOf, imageFormat } from "../drivers/index.js";
import { imageLimits } from "../limits.js";
import type { Pools } from "../pools/pools.js";
import type { Volume } from "../pools/volume.js";
import { placedChain } from "./placed-chain.js";
import type { Volumes } from "./volumes.js";
import { type PlacedVolume, type Use, type VolumeBackends, whileUsing } from "./work.js";

/**
 * A copy of a volume reads what this is built on as well: all of it that is a volume of an active pool is used while the
 * copy is made.
 */
export class ReadBelow {
  readonly #pools: Pools;
  readonly #volumes: Volumes;
  readonly #backends: VolumeBackends;

  constructor(pools: Pools, volumes: Volumes, backends: VolumeBackends) {
    this.#pools = pools;
    this.#volumes = volumes;
    this.#backends = backends;
  }

  /**
   * Takes the leases of the volume, and of what documents say is below it, before anything is awaited; then of what images
   * themselves say, by whatever path. What cannot be looked at, or is no volume, is not used by anybody here.
   */
  async during<T>(source: PlacedVolume, work: () => Promise<T>): Promise<T> {
    const known = [source, ...this.#byDocument(source)];
    return whileUsing(this.#backends.leases, known.map(asReader), async () => {
      // Of raw bytes nothing is read.
      if (imageFormat(source.volume.document) === "raw") return work();
      const held = new Set(known.map(({ volume }) => volume));
      return this.#duringMore(source, held, AbortSignal.timeout(imageLimits.chainMs), work);
    });
  }

  /** Looks until there is nothing new: before its lease was taken, somebody may have put another image there. */
  async #duringMore<T>(
    source: PlacedVolume,
    held: Set<Volume>,
    signal: CancelSignal,
    work: () => Promise<T>,
  ): Promise<T> {
    const more = (await this.#byImage(source, signal)).filter(({ volume }) => !held.has(volume));
    if (more.length === 0) return work();
    for (const { volume } of more) held.add(volume);
    return whileUsing(this.#backends.leases, more.map(asReader), () => this.#duringMore(source, held, signal, work));
  }

  #byDocument({ volume }: PlacedVolume): PlacedVolume[] {
    const below: PlacedVolume[] = [];
    const paths = [backingPathOf(volume.document), volume.dataFile];
    // What is found adds what it rests on itself.
    for (const path of paths) {
      const found = path === null ? null : this.#volumes.findByPath(path);
      if (found === null || found.volume === volume || below.some((link) => link.volume === found.volume)) continue;
      if (below.push(found) === imageLimits.chainLinks) break;
      paths.push(backingPathOf(found.volume.document), found.volume.dataFile);
    }
    return below;
  }

  async #byImage(source: PlacedVolume, signal: CancelSignal): Promise<PlacedVolume[]> {
    try {
      const { links } = await placedChain(source, this.#pools.registry, this.#backends, signal);
      const found = new Map<Volume, PlacedVolume>();
      for (const { path, identity } of links) {
        const byPath = path === null ? null : this.#volumes.findByPath(path);
        const placed = byPath ?? (identity === null ? null : this.#volumes.findByIdentity(identity));
        if (placed !== null && placed.volume !== source.volume) found.set(placed.volume, placed);
      }
      return [...found.values()];
    } catch {
      // Whoever reads the volume says what is wrong with it.
      return [];
    }
  }
}

function asReader(placed: PlacedVolume): Use {
  return { ...placed, as: "reader" };
}
