import { type Connection, POOL_TYPE_NAMES, type Pool, type PoolInfo, type PoolTypeName } from "@cistern/client";
import { ErrorCode, encodeUtf8 } from "@cistern/protocol";
import type { Context } from "../context.js";
import { Failure } from "../failure.js";
import { unlessMissing } from "../lookup.js";
import { compareNames } from "../output/names.js";
import { formatSize } from "../output/size.js";
import { type Column, formatTable, yesNo } from "../output/table.js";
import { command, type ValuesOf } from "./command.js";
import { either, flag, optionalText } from "./parameters.js";

const parameters = {
  inactive: flag("list inactive pools"),
  all: flag("list inactive & active pools"),
  transient: flag("list transient pools"),
  persistent: flag("list persistent pools"),
  autostart: flag("list pools with autostart enabled"),
  "no-autostart": flag("list pools with autostart disabled"),
  type: optionalText("only list pool of specified type(s), such as dir,fs", { completes: POOL_TYPE_NAMES }),
  details: flag("display extended details for pools"),
  uuid: flag("list UUID of active pools only"),
  name: flag("list name of active pools only"),
} as const;

type Values = ValuesOf<typeof parameters>;

interface PoolRow extends PoolInfo {
  readonly name: string;
  readonly uuid: string;
  readonly autostart: boolean;
  readonly persistent: boolean;
}

const columns: readonly Column<PoolRow>[] = [
  { title: "Name", cell: ({ name }) => name },
  { title: "State", cell: ({ state }) => (state === "inactive" ? "inactive" : "active") },
  { title: "Autostart", cell: ({ autostart }) => yesNo(autostart) },
];

const detailedColumns: readonly Column<PoolRow>[] = [
  { title: "Name", cell: ({ name }) => name },
  { title: "State", cell: ({ state }) => state },
  { title: "Autostart", cell: ({ autostart }) => yesNo(autostart) },
  { title: "Persistent", cell: ({ persistent }) => yesNo(persistent) },
  { title: "Capacity", cell: ({ state, capacityBytes }) => sizeIf(state, capacityBytes) },
  { title: "Allocation", cell: ({ state, allocationBytes }) => sizeIf(state, allocationBytes) },
  { title: "Available", cell: ({ state, availableBytes }) => sizeIf(state, availableBytes) },
];

export const poolList = command({
  name: "pool-list",
  summary: "list pools",
  parameters,
  async run(context, values) {
    await context.withConnection(async (connection) => {
      const rows = await readRows(connection, values, context);
      context.printResult(rows, () => formatRows(rows, values, context));
    });
  },
});

/** What is said of each pool of the listing, in virsh's order. */
async function readRows(connection: Connection, values: Values, context: Context): Promise<PoolRow[]> {
  const filter = {
    active: values.all ? undefined : !values.inactive,
    persistent: either(values.persistent, values.transient),
    autostart: either(values.autostart, values["no-autostart"]),
    types: values.type === null ? undefined : readTypes(values.type),
  };
  const pools = await connection.listPools(filter, context.call);
  const rows = await Promise.all(pools.map((pool) => readRow(pool, context)));
  return rows.filter((row) => row !== null).sort((a, b) => compareNames(a.name, b.name));
}

/** null: it was undefined meanwhile. */
function readRow(pool: Pool, { call }: Context): Promise<PoolRow | null> {
  return unlessMissing(ErrorCode.NO_STORAGE_POOL, async () => {
    const [facts, autostart, persistent] = await Promise.all([
      pool.info(call),
      pool.autostart(call),
      pool.isPersistent(call),
    ]);
    return { name: pool.name, uuid: pool.uuid, ...facts, autostart, persistent };
  });
}

function formatRows(rows: readonly PoolRow[], values: Values, { isQuiet }: Context): string {
  if (values.name || values.uuid) return rows.map((row) => formatNames(row, values)).join("");
  return formatTable(values.details ? detailedColumns : columns, rows, { head: !isQuiet });
}

/** virsh fills names up to this many bytes. */
const NAME_BYTES = 20;

function formatNames({ name, uuid }: PoolRow, wanted: Values): string {
  const filled = `${name}${" ".repeat(Math.max(0, NAME_BYTES - encodeUtf8(name).length))}`;
  return `${[wanted.uuid ? uuid : null, wanted.name ? filled : null].filter((part) => part !== null).join(" ")}\n`;
}

function readTypes(list: string): PoolTypeName[] {
  return list.split(",").map((word) => {
    const type = POOL_TYPE_NAMES.find((candidate) => candidate === word);
    if (type === undefined) {
      throw new Failure(new Error(`Invalid pool type '${word}'`), {
        hint: `the types are ${POOL_TYPE_NAMES.join(", ")}`,
      });
    }
    return type;
  });
}

function sizeIf(state: PoolInfo["state"], bytes: bigint): string {
  return state === "running" ? formatSize(bytes) : "-";
}
