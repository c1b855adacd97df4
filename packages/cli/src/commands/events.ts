import type { Connection, PoolEvent, SecretEvent } from "@cistern/client";
import type { Command } from "commander";
import { type Context, findPool } from "../context.js";
import { formatJson } from "../output/json.js";
import { printable } from "../output/text.js";
import { countArgument } from "./arguments.js";

interface EventsOptions {
  readonly pool?: string;
  readonly secrets?: boolean;
  readonly count?: number;
}

export function addEventsCommand(program: Command, contextOf: (command: Command) => Context): void {
  program
    .command("events")
    .description("Print what happens, one line per event, until interrupted (--json: one object per line)")
    .option("--pool <pool>", "only of this pool")
    .option("--secrets", "of secrets instead of pools")
    .option("--count <n>", "end after so many", countArgument)
    .action((options: EventsOptions, command: Command) => watch(contextOf(command), options));
}

async function watch(context: Context, options: EventsOptions): Promise<void> {
  const { signal } = context.surroundings;
  await context.withConnection(async (connection) => {
    const events = await subscribe(connection, context, options);
    // Ending on request is what this command is for, so it is no failure.
    signal.addEventListener("abort", () => void events.return?.().catch(() => {}), { once: true });
    let left = options.count ?? Number.POSITIVE_INFINITY;
    for await (const event of events) {
      print(context, event);
      left--;
      if (left === 0) break;
    }
  });
}

async function subscribe(
  connection: Connection,
  context: Context,
  options: EventsOptions,
): Promise<AsyncIterableIterator<PoolEvent | SecretEvent>> {
  if (options.secrets === true) return connection.secretEvents(null, context.call);
  const pool = options.pool === undefined ? null : await findPool(connection, options.pool, context.call);
  return connection.poolEvents(pool, context.call);
}

function print(context: Context, event: PoolEvent | SecretEvent): void {
  const time = new Date().toISOString();
  if (context.options.json === true) context.print(`${formatJson({ time, ...event }, 0)}\n`);
  else if ("pool" in event) context.print(`${time}  ${event.kind.padEnd(9)}  ${printable(event.pool.name)}\n`);
  else context.print(`${time}  ${event.kind.padEnd(12)}  ${event.secret.uuid}  ${printable(event.secret.usageID)}\n`);
}
