import type { Connection } from "@cistern/client";
import { type PoolReference, procedures } from "@cistern/protocol";

/** Defines and starts a directory pool; with `uuid`, under the identity that an earlier one had. */
export async function startPool(
  connection: Connection,
  name: string,
  path: string,
  uuid?: string,
): Promise<PoolReference> {
  const xml = directoryPool(name, path, uuid);
  const { pool } = await connection.call(procedures.storagePoolDefineXml, { xml, flags: 0 });
  await connection.call(procedures.storagePoolCreate, { pool, flags: 0 });
  return pool;
}

export function directoryPool(name: string, path: string, uuid?: string): string {
  const identity = uuid === undefined ? "" : `<uuid>${uuid}</uuid>`;
  return `<pool type='dir'><name>${name}</name>${identity}<target><path>${path}</path></target></pool>`;
}
