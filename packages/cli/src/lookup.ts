import type { CallOptions, Connection, Pool, Volume } from "@cistern/client";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { Failure } from "./failure.js";
import { commandOn, nearestName, shellQuoted } from "./output/names.js";

const UUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

/** The pool of that UUID, else of that name. */
export async function findPool(connection: Connection, nameOrUuid: string, call: CallOptions): Promise<Pool> {
  if (UUID.test(nameOrUuid)) {
    const byUuid = await unlessMissing(ErrorCode.NO_STORAGE_POOL, () =>
      connection.lookupPoolByUuid(nameOrUuid.toLowerCase(), call),
    );
    if (byUuid !== null) return byUuid;
  }
  try {
    return await connection.lookupPool(nameOrUuid, call);
  } catch (error) {
    if (!isMissing(error, ErrorCode.NO_STORAGE_POOL)) throw error;
    const task = `failed to get pool '${nameOrUuid}'`;
    throw new Failure(error, { task, hint: await poolHint(connection, nameOrUuid, call) });
  }
}

/** The volume of that name in the pool, else of that key, else of that path; without a pool by key or path alone. */
export async function findVolume(
  connection: Connection,
  nameKeyOrPath: string,
  poolName: string | null,
  call: CallOptions,
): Promise<Volume> {
  const pool = poolName === null ? null : await findPool(connection, poolName, call);
  return findVolumeOf(connection, nameKeyOrPath, pool, call);
}

/** As `findVolume`, where the pool is found already. */
export async function findVolumeOf(
  connection: Connection,
  nameKeyOrPath: string,
  pool: Pool | null,
  call: CallOptions,
): Promise<Volume> {
  const find = (lookup: () => Promise<Volume>) => unlessMissing(ErrorCode.NO_STORAGE_VOL, lookup);
  const byName = pool === null ? null : await find(() => pool.lookupVolume(nameKeyOrPath, call));
  if (byName !== null) return byName;
  const byKey = await find(() => connection.lookupVolumeByKey(nameKeyOrPath, call));
  const volume = byKey ?? (await volumeByPath(connection, nameKeyOrPath, pool, call));
  if (pool === null || volume.poolName === pool.name) return volume;
  const text = `Requested volume '${nameKeyOrPath}' is not in pool '${pool.name}'`;
  throw LibvirtError.of(ErrorCode.NO_STORAGE_VOL, ErrorDomain.STORAGE, text);
}

/** null: there is none, or none any more. */
export async function unlessMissing<Found>(code: number, lookup: () => Promise<Found>): Promise<Found | null> {
  try {
    return await lookup();
  } catch (error) {
    if (isMissing(error, code)) return null;
    throw error;
  }
}

async function volumeByPath(
  connection: Connection,
  path: string,
  pool: Pool | null,
  call: CallOptions,
): Promise<Volume> {
  try {
    return await connection.lookupVolumeByPath(path, call);
  } catch (error) {
    if (!isMissing(error, ErrorCode.NO_STORAGE_VOL)) throw error;
    if (pool === null) {
      const hint = "a name needs its pool: --pool POOL";
      throw new Failure(error, { task: `failed to get vol '${path}'`, hint });
    }
    const hint = await volumeHint(pool, path, call);
    // Names are what people type: what the lookup by name said is what they want to hear.
    const named = await pool.lookupVolume(path, call).catch((refusal: unknown) => refusal);
    throw new Failure(named instanceof Error ? named : error, { task: `failed to get vol '${path}'`, hint });
  }
}

async function poolHint(connection: Connection, typed: string, call: CallOptions): Promise<string> {
  const pools = await connection.listPools({}, call).catch(() => []);
  const nearest = nearestName(
    typed,
    pools.map(({ name }) => name),
  );
  return nearest === null
    ? "cistern pool-list --all shows what there is"
    : `there is a pool ${shellQuoted(nearest)}; cistern pool-list --all shows them all`;
}

async function volumeHint(pool: Pool, typed: string, call: CallOptions): Promise<string> {
  const volumes = await pool.listVolumes(call).catch(() => []);
  const nearest = nearestName(
    typed,
    volumes.map(({ name }) => name),
  );
  const all = `${commandOn("vol-list", pool.name)} shows`;
  return nearest === null ? `${all} what there is` : `there is a volume ${shellQuoted(nearest)}; ${all} them all`;
}

function isMissing(error: unknown, code: number): boolean {
  return error instanceof LibvirtError && error.code === code;
}
