import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Pool } from "./pool.js";
import type { Volume } from "./volume.js";
import { volumeInUse } from "./volume-refusals.js";

/** libvirt's refusals that more than one call gives. Each function names the fact that the caller found to be so. */

const storage = (code: ErrorCode, detail: string): LibvirtError => LibvirtError.of(code, ErrorDomain.STORAGE, detail);

export const noPoolWithUuid = (uuid: string, name?: string): LibvirtError =>
  storage(
    ErrorCode.NO_STORAGE_POOL,
    name === undefined
      ? `no storage pool with matching uuid '${uuid}'`
      : `no storage pool with matching uuid '${uuid}' (${name})`,
  );
export const noPoolWithName = (name: string): LibvirtError =>
  storage(ErrorCode.NO_STORAGE_POOL, `no storage pool with matching name '${name}'`);
export const poolNotActive = (pool: Pool): LibvirtError =>
  storage(ErrorCode.OPERATION_INVALID, `storage pool '${pool.name}' is not active`);
export const poolNoLongerTried = (pool: Pool): LibvirtError =>
  storage(
    ErrorCode.OPERATION_INVALID,
    `storage pool '${pool.name}' is not active; its autostart is no longer tried again`,
  );
export const poolAlreadyActive = (pool: Pool): LibvirtError =>
  storage(ErrorCode.OPERATION_INVALID, `storage pool '${pool.name}' is already active`);
export const poolStillActive = (pool: Pool): LibvirtError =>
  storage(ErrorCode.OPERATION_INVALID, `storage pool '${pool.name}' is still active`);
export const poolStarting = (pool: Pool): LibvirtError =>
  storage(ErrorCode.OPERATION_INVALID, `storage pool '${pool.name}' is starting up`);
const poolHasJobs = (pool: Pool): LibvirtError =>
  storage(ErrorCode.INTERNAL_ERROR, `pool '${pool.name}' has asynchronous jobs running.`);
/**
 * What keeps a pool from being stopped, undefined or deleted. A transfer is nothing to libvirt, which lets the pool vanish
 * under it.
 */
export function refuseWhileBusy(pool: Pool): void {
  if (pool.jobs > 0) throw poolHasJobs(pool);
  const [volume] = pool.transfers;
  if (volume !== undefined) throw volumeInUse(volume.name);
}

export function isBusy(pool: Pool): boolean {
  return pool.jobs > 0 || pool.transfers.length > 0;
}

/**
 * An overlay keeps what it is built on from being deleted. Of an active pool that was not looked at yet nobody knows which it
 * has: none is no answer. `except`: its volumes are wanted to go.
 */
export function refuseWhileUnseen(volume: Volume, pools: Iterable<Pool>, except: Pool | null): void {
  for (const pool of pools) {
    if (!pool.active || !pool.isUnseen || pool === except) continue;
    throw storage(
      ErrorCode.OPERATION_INVALID,
      `volume '${volume.name}' may be the backing store of volumes in pool '${pool.name}', ` +
        "whose storage has given no answer since the daemon began",
    );
  }
}

export const noVolumeWithName = (name: string): LibvirtError =>
  storage(ErrorCode.NO_STORAGE_VOL, `no storage vol with matching name '${name}'`);

/** `allowed`: the bits libvirt's function of that name knows. */
export function checkFlags(flags: number, allowed: number, functionName: string): void {
  LibvirtError.checkFlags(ErrorDomain.STORAGE, functionName, flags, allowed);
}
