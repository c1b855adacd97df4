import type { PoolDirectory } from "../drivers/index.js";
import type { Pool } from "../pools/pool.js";

/** Where chains of backing stores may lead: the targets of active pools. */
export function poolDirectories(pools: Iterable<Pool>): PoolDirectory[] {
  return [...pools].flatMap((pool) => directoryOf(pool) ?? []);
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
