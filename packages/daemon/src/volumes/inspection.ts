import { volumeChain } from "../drivers/index.js";
import type { Pools } from "../pools/pools.js";
import { volumeBuilding } from "../pools/volume-refusals.js";
import { poolDirectories } from "./pool-directories.js";
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
    const directories = poolDirectories(this.#pools.registry);
    const { links, isComplete } = await volumeChain(volume.document, volume.isSymlink, host, directories);
    return {
      pool: pool.name,
      volume: volume.document.name,
      image: links[0]?.image ?? null,
      chain: links,
      isComplete,
    };
  }
}
