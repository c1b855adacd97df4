import { type PoolDirectory, volumeChain } from "../drivers/index.js";
import type { Pool } from "../pools/pool.js";
import type { Pools } from "../pools/pools.js";
import { volumeBuilding } from "../pools/volume-refusals.js";
import type { VolumeInspection } from "./volume-inspection.js";
import type { Volumes } from "./volumes.js";
import type { VolumeBackends, VolumeHandle } from "./work.js";

/**
 * Looks into a volume and along its backing chain, without changing anything. Whatever images say and wherever their chains
 * lead stands in the answer; only a volume that is not there is an error.
 */
export class Inspection {
  readonly #pools: Pools;
  readonly #volumes: Volumes;
  readonly #backends: VolumeBackends;

  constructor(pools: Pools, volumes: Volumes, backends: VolumeBackends) {
    this.#pools = pools;
    this.#volumes = volumes;
    this.#backends = backends;
  }

  async inspect(handle: VolumeHandle): Promise<VolumeInspection> {
    const { pool, volume } = this.#volumes.resolve(handle);
    if (volume.building) throw volumeBuilding(volume.document.name);
    const host = await this.#backends.hostOf(pool.live);
    const { links, isComplete } = await volumeChain(volume.document, volume.isSymlink, host, this.#directories());
    return {
      pool: pool.name,
      volume: volume.document.name,
      image: links[0]?.image ?? null,
      chain: links,
      isComplete,
    };
  }

  /** Where chains may lead: the targets of active pools. */
  #directories(): PoolDirectory[] {
    return [...this.#pools.registry].flatMap((pool) => directoryOf(pool) ?? []);
  }
}

function directoryOf(pool: Pool): PoolDirectory | null {
  const { path } = pool.live.target;
  if (!pool.active || path === null) return null;
  return {
    pool: pool.name,
    path,
    identity: pool.anchor,
    hasVolume: (name) => pool.volumes.get(name) !== undefined,
  };
}
