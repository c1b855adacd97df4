import type { Pool } from "../pools/pool.js";
import type { PoolRegistry } from "../pools/registry.js";
import type { Volume } from "../pools/volume.js";
import { doubtsAboutOverlays, doubtsOf } from "./doubts.js";
import type { Attachments, SourceFacts } from "./model.js";

/** A volume that no known guest uses and no known volume is built on. */
export interface Orphan {
  readonly pool: string;
  readonly volume: string;
  readonly path: string | null;
  readonly capacityBytes: bigint;
  readonly allocationBytes: bigint;
  /** Nanoseconds since 1970; null: the technology does not say. */
  readonly modificationNs: bigint | null;
}

export interface OrphanPage {
  /** Where it is not empty, "unused" is not known of any: whoever is named here may use it. */
  readonly doubts: readonly string[];
  /** Who was asked. */
  readonly sources: readonly SourceFacts[];
  /** Of all pages. */
  readonly total: number;
  readonly orphans: readonly Orphan[];
}

/**
 * Volumes of active pools that nobody is known to use, `count` of them from the `offset`th on, in no particular order. What is
 * being built or deleted is none of them.
 *
 * @param bases what other volumes are built on
 */
export function findOrphans(
  attachments: Pick<Attachments, "all" | "sources" | "unknowns">,
  registry: PoolRegistry,
  bases: ReadonlySet<Volume>,
  { offset, count }: { readonly offset: number; readonly count: number },
): OrphanPage {
  const used = new Map<string, Set<string>>();
  for (const { volumes } of attachments.all()) {
    for (const { pool, volume } of volumes) {
      const names = used.get(pool);
      if (names === undefined) used.set(pool, new Set([volume]));
      else names.add(volume);
    }
  }
  const orphans: Orphan[] = [];
  let total = 0;
  for (const pool of registry) {
    if (!pool.active) continue;
    const usedHere = used.get(pool.name);
    for (const volume of pool.volumes) {
      if (usedHere?.has(volume.name) === true || isBusy(volume) || bases.has(volume)) continue;
      if (total >= offset && orphans.length < count) orphans.push(orphanOf(pool, volume));
      total++;
    }
  }
  const doubts = [...doubtsOf(attachments), ...doubtsAboutOverlays(registry)];
  return { doubts, sources: attachments.sources(), total, orphans };
}

function isBusy({ building, removing, lease }: Volume): boolean {
  return building || removing || lease.isHeld;
}

function orphanOf(pool: Pool, { name, document }: Volume): Orphan {
  const { target, capacityBytes, allocationBytes } = document;
  return {
    pool: pool.name,
    volume: name,
    path: target.path,
    capacityBytes,
    allocationBytes,
    modificationNs: target.timestamps?.modificationNs ?? null,
  };
}
