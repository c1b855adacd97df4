import type { Pool } from "@cistern/client";
import type { Context } from "../context.js";
import { findPool } from "../lookup.js";
import { command } from "./command.js";
import { poolParameter } from "./parameters.js";

export const poolName = command({
  name: "pool-name",
  summary: "convert a pool UUID to pool name",
  parameters: { pool: poolParameter },
  run: (context, { pool }) => printIdentity(context, pool, ({ name }) => name),
});

export const poolUuid = command({
  name: "pool-uuid",
  summary: "convert a pool name to pool UUID",
  parameters: { pool: poolParameter },
  run: (context, { pool }) => printIdentity(context, pool, ({ uuid }) => uuid),
});

async function printIdentity(context: Context, nameOrUuid: string, word: (pool: Pool) => string): Promise<void> {
  await context.withConnection(async (connection) => {
    const pool = await findPool(connection, nameOrUuid, context.call);
    context.printName(word(pool), { name: pool.name, uuid: pool.uuid });
  });
}
