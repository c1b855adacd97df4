import { POOL_TYPES, type PoolType } from "@cistern/documents";
import type { Host } from "../host/host.js";
import type { UnitTrace } from "../jobs/job.js";
import type { AbsentDriver } from "./absent.js";
import type { StorageDriver } from "./driver.js";

/** Undoes what a dead daemon left, by the driver that made it. Fails where it cannot be done now. */
export async function undoUnitWith(
  drivers: Readonly<Record<PoolType, StorageDriver | AbsentDriver>>,
  unit: UnitTrace,
  host: Host,
): Promise<string> {
  const type = POOL_TYPES.find((known) => known === unit.poolType);
  const driver = type === undefined ? undefined : drivers[type];
  const undo = driver === undefined || "absent" in driver ? undefined : driver.volumes?.undo;
  if (undo === undefined) throw new Error(`no driver undoes what is made in pools of type "${unit.poolType}"`);
  return undo(unit, host);
}
