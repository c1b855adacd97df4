import type { Pools } from "../pools/pools.js";
import { volumeBuilding } from "../pools/volume-refusals.js";
import { placedChain } from "./placed-chain.js";
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
    const placed = this.#volumes.resolve(handle);
    const { pool, volume } = placed;
    if (volume.building) throw volumeBuilding(volume.document.name);
    const { links, isComplete } = await placedChain(placed, this.#pools.registry, this.#backends);
    return {
      pool: pool.name,
      volume: volume.document.name,
      image: links[0]?.image ?? null,
      chain: links,
      isComplete,
    };
  }
}
