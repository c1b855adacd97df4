import type { CancelSignal } from "../cancel-signal.js";
import { volumeChain } from "../drivers/index.js";
import type { PoolRegistry } from "../pools/registry.js";
import { poolDirectories } from "./pool-directories.js";
import type { PlacedVolume, VolumeBackends } from "./work.js";

/** The backing chain of a pool's volume, which may lead into the directories of all active pools. `signal`: see `volumeChain`. */
export async function placedChain(
  { pool, volume }: PlacedVolume,
  registry: PoolRegistry,
  backends: VolumeBackends,
  signal?: CancelSignal,
): ReturnType<typeof volumeChain> {
  const host = await backends.hostOf(pool.live);
  return volumeChain(volume.document, volume.isSymlink, host, poolDirectories(registry), signal);
}
