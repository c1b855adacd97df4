import type { PoolEvent } from "@cistern/client";
import { findPool } from "../lookup.js";
import { printable } from "../output/text.js";
import { command } from "./command.js";
import { type EventText, eventParameters, printEventTypes, watchEvents } from "./event.js";
import { optionalPoolParameter } from "./parameters.js";

const KINDS = ["lifecycle", "refresh"] as const;

export const poolEvent = command({
  name: "pool-event",
  summary: "list event types, or wait for storage pool events to occur",
  parameters: { pool: optionalPoolParameter, ...eventParameters(KINDS) },
  async run(context, { pool: name, ...values }) {
    if (printEventTypes(context, KINDS, values)) return;
    await context.withConnection(async (connection) => {
      const pool = name === null ? null : await findPool(connection, name, context.call);
      await watchEvents(context, await connection.poolEvents(pool, context.call), values, describe);
    });
  },
});

function describe({ kind, pool }: PoolEvent): EventText {
  const name = printable(pool.name);
  if (kind === "refreshed") return { kind: "refresh", text: `event 'refresh' for storage pool ${name}` };
  const what = `${kind.slice(0, 1).toUpperCase()}${kind.slice(1)}`;
  return { kind: "lifecycle", text: `event 'lifecycle' for storage pool ${name}: ${what}` };
}
