import type { Pool } from "../pools/pool.js";
import type { PoolRegistry } from "../pools/registry.js";
import type { Volume } from "../pools/volume.js";
import { isRemoteVolume } from "./identity/remote.js";
import type { Use } from "./use.js";

/** A volume with its pool. */
export interface FoundVolume {
  readonly pool: Pool;
  readonly volume: Volume;
}

/** The volumes of active pools that a use is: by what it leads to, by its path, or by name. */
export function volumesOf(use: Use, pools: PoolRegistry): FoundVolume[] {
  const found: FoundVolume[] = [];
  for (const pool of pools) {
    if (pool.active) for (const volume of volumesIn(use, pool)) found.push({ pool, volume });
  }
  return found;
}

function volumesIn({ identity, place, realPath, remote, named }: Use, pool: Pool): Volume[] {
  const { volumes } = pool;
  const found = identity === null ? [] : [...volumes.byIdentity(identity)];
  const add = (volume: Volume | undefined): void => {
    if (volume !== undefined && !found.includes(volume)) found.push(volume);
  };
  add(volumes.byPath(place));
  if (realPath !== null) add(volumes.byPath(realPath));
  if (named?.pool === pool.name) add(volumes.get(named.volume));
  if (remote !== null && REMOTE_POOLS.has(pool.live.type)) {
    for (const volume of volumes) if (isRemoteVolume(pool.live, volume.document, remote)) add(volume);
  }
  return found;
}

/** Pools whose volumes are names on other machines; those of others are found by what they are here. */
const REMOTE_POOLS: ReadonlySet<string> = new Set(["rbd", "gluster", "sheepdog", "iscsi-direct"]);

/** Whether it is a volume of the pool, or lies in or at the pool's directory. */
export function isInside(use: Use, pool: Pool, realTarget: string | null): boolean {
  if (pool.active && volumesIn(use, pool).length > 0) return true;
  const paths = [use.place, use.realPath];
  return [pool.live.target.path, realTarget].some(
    // Links to devices lie in directories that belong to no pool.
    (target) => target != null && !target.startsWith("/dev") && paths.some((path) => isAtOrBelow(path, target)),
  );
}

/** Both normal, without a slash at the end. */
export function isAtOrBelow(path: string | null, directory: string): boolean {
  return path !== null && (path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`));
}
