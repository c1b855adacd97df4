import type { Connection, Pool } from "@cistern/client";

/** A started pool of type "dir"; its directory is made when it is not there. */
export async function startedPool(connection: Connection, name: string, path: string): Promise<Pool> {
  const pool = await connection.definePool(
    `<pool type='dir'><name>${name}</name><target><path>${path}</path></target></pool>`,
  );
  await pool.build();
  await pool.start();
  return pool;
}
