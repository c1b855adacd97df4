import { isReservedName } from "../host/index.js";
import { hostForChanges, type PoolBackends, scanAgain } from "../pools/activation.js";
import type { Pool } from "../pools/pool.js";
import type { PoolRegistry } from "../pools/registry.js";

/**
 * Before a volume is deleted: looks again at the pools in whose directories other programs have been at work since their last
 * scan. They may have built something on it (an external snapshot, qemu-img). What the daemon itself did is known, and costs no
 * look. `own`: the volume's pool. The caller holds the lock of no pool.
 */
export async function lookAtOthersWork(own: Pool, registry: PoolRegistry, backends: PoolBackends): Promise<void> {
  const lookAgain = async (pool: Pool): Promise<void> => {
    if (!(await wasTouched(pool, pool === own, backends))) return;
    await pool.lock.run(async () => {
      // Whoever had the lock before may have looked.
      if (!registry.has(pool) || !isWatched(pool, backends) || haveCome(pool) === false) return;
      await scanAgain(pool, backends);
    });
  };
  await Promise.all([...registry].map(lookAgain));
}

/** Of a pool that nobody has seen yet, deleting is refused anyway. */
function isWatched(pool: Pool, backends: PoolBackends): boolean {
  return pool.active && !pool.isUnseen && backends.driverOf(pool.live).traits.volumeKind === "file";
}

async function wasTouched(pool: Pool, isOwn: boolean, backends: PoolBackends): Promise<boolean> {
  if (!isWatched(pool, backends)) return false;
  const have = haveCome(pool);
  if (have !== null) return have;
  try {
    const host = await hostForChanges(pool, backends);
    // The kernel tells nothing of what others do on a server. Deleting in one pool does not wait for the storage of all.
    if (!isOwn && host.home === "remote") return false;
    await using directory = await host.openDirectory(pool.live.target.path ?? "");
    const names = await directory.names();
    return names.some((name) => pool.volumes.get(name) === undefined && !isReservedName(name));
  } catch {
    // Where nothing can be listed, nothing is deleted either.
    return false;
  }
}

/** What is being made is no newcomer; what was uploaded is looked into by itself (`BackingUsers`). */
function haveCome({ newcomers, volumes, changes }: Pool): boolean | null {
  return newcomers.areThere((name) => {
    const volume = volumes.get(name);
    return volume !== undefined && (volume.building || changes.unread.has(volume));
  });
}
