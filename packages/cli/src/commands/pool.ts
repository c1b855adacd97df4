import type { AutostartFailure, CallOptions, Connection, Pool, PoolCommitment, PoolInfo } from "@cistern/client";
import { ErrorCode, LibvirtError } from "@cistern/protocol";
import type { Command } from "commander";
import { type Context, findPool } from "../context.js";
import { directoryPoolXml, readDocument } from "../documents.js";
import { UsageError } from "../exit-status.js";
import { formatDuration } from "../output/duration.js";
import { formatSize } from "../output/size.js";
import { type Column, formatFacts, formatTable, yesNo } from "../output/table.js";
import { printable } from "../output/text.js";

type ContextOf = (command: Command) => Context;

interface PoolRow extends PoolInfo {
  readonly name: string;
  readonly uuid: string;
  readonly autostart: boolean;
  readonly persistent: boolean;
}

const columns: readonly Column<PoolRow>[] = [
  { title: "NAME", cell: ({ name }) => name },
  { title: "STATE", cell: ({ state }) => state },
  { title: "AUTOSTART", cell: ({ autostart }) => yesNo(autostart) },
  { title: "PERSISTENT", cell: ({ persistent }) => yesNo(persistent) },
  { title: "CAPACITY", align: "right", cell: ({ state, capacityBytes }) => sizeIf(state, capacityBytes) },
  { title: "ALLOCATION", align: "right", cell: ({ state, allocationBytes }) => sizeIf(state, allocationBytes) },
  { title: "AVAILABLE", align: "right", cell: ({ state, availableBytes }) => sizeIf(state, availableBytes) },
];

export function addPoolCommands(program: Command, contextOf: ContextOf): void {
  const pool = program.command("pool").description("Show and manage storage pools");

  pool
    .command("list")
    .description("List pools")
    .option("--active", "only those that are started")
    .option("--inactive", "only those that are not")
    .action((options: { active?: boolean; inactive?: boolean }, command: Command) => list(contextOf(command), options));

  pool
    .command("info <pool>")
    .description("Show a pool's facts (by name or UUID)")
    .action((name: string, _options: unknown, command: Command) => info(contextOf(command), name));

  pool
    .command("show <pool>")
    .description("Print a pool's XML document")
    .option("--inactive", "as it will be after its next start")
    .action((name: string, options: { inactive?: boolean }, command: Command) => {
      const context = contextOf(command);
      return withPool(context, name, async (found) => context.printDocument(await found.xml(options, context.call)));
    });

  pool
    .command("define [file]")
    .description('Define a pool by an XML document ("-": standard input), or a directory pool by its path')
    .option("--name <name>", "with --directory: the pool's name")
    .option("--directory <path>", "make a directory pool of this path")
    .option("--validate", "check the document against the schema first")
    .action((file: string | undefined, options: DefineOptions, command: Command) =>
      define(contextOf(command), file, options),
    );

  change(pool, contextOf, {
    name: "start",
    description: "Start a pool",
    done: "started",
    options: [
      ["--build", "prepare its storage first"],
      ["--overwrite", "with --build: also over data that is there"],
    ],
    plan: ({ build, overwrite }) => {
      if (overwrite === true && build !== true) throw new UsageError("--overwrite needs --build");
      return (found, call) => found.start({ build: overwrite === true ? "overwrite" : build === true }, call);
    },
  });
  change(pool, contextOf, {
    name: "stop",
    description: "Stop a pool; its storage stays as it is",
    done: "stopped",
    plan: () => (found, call) => found.stop(call),
  });
  change(pool, contextOf, {
    name: "refresh",
    description: "Look again at what is in a pool",
    done: "refreshed",
    plan: () => (found, call) => found.refresh(call),
  });
  change(pool, contextOf, {
    name: "build",
    description: "Prepare a pool's storage (directory, file system, volume group …)",
    done: "built",
    options: [
      ["--overwrite", "also over data that is there"],
      ["--keep-existing", "fail where data is there"],
    ],
    plan: ({ overwrite, keepExisting }) => {
      if (overwrite === true && keepExisting === true) {
        throw new UsageError("--overwrite and --keep-existing exclude each other");
      }
      const existing = overwrite === true ? "overwrite" : keepExisting === true ? "refuse" : undefined;
      return (found, call) => found.build({ existing }, call);
    },
  });
  change(pool, contextOf, {
    name: "delete",
    description: "Remove a stopped pool's storage; its definition stays",
    done: "deleted",
    plan: () => (found, call) => found.delete(call),
  });
  change(pool, contextOf, {
    name: "undefine",
    description: "Forget a stopped pool's definition; its storage stays",
    done: "undefined",
    plan: () => (found, call) => found.undefine(call),
  });
  change(pool, contextOf, {
    name: "autostart",
    description: "Start a pool together with the daemon",
    done: "changed",
    options: [["--disable", "no longer do so"]],
    plan:
      ({ disable }) =>
      (found, call) =>
        found.setAutostart(disable !== true, call),
  });
}

interface DefineOptions {
  readonly name?: string;
  readonly directory?: string;
  readonly validate?: boolean;
}

interface Change {
  readonly name: string;
  readonly description: string;
  /** What is said of the pool afterwards. */
  readonly done: string;
  readonly options?: readonly (readonly [flag: string, description: string])[];
  /** Refuses options that make no sense together, before anything is done. */
  plan(options: Readonly<Partial<Record<ChangeOption, boolean>>>): (pool: Pool, call: CallOptions) => Promise<void>;
}

type ChangeOption = "build" | "overwrite" | "keepExisting" | "disable";

/** A command that does one thing to one or more pools, one after the other. */
function change(parent: Command, contextOf: ContextOf, { name, description, done, options = [], plan }: Change): void {
  const command = parent.command(`${name} <pool...>`).description(description);
  for (const [flag, meaning] of options) command.option(flag, meaning);
  command.action(async (names: string[], chosen: Readonly<Partial<Record<ChangeOption, boolean>>>, self: Command) => {
    const context = contextOf(self);
    const act = plan(chosen);
    await context.withConnection(async (connection) => {
      for (const poolName of names) {
        const found = await findPool(connection, poolName, context.call);
        await act(found, context.call);
        context.printDone(`Pool ${printable(found.name)} ${done}`, {
          pool: found.name,
          uuid: found.uuid,
          [done]: true,
        });
      }
    });
  });
}

async function list(context: Context, options: { active?: boolean; inactive?: boolean }): Promise<void> {
  if (options.active === true && options.inactive === true)
    throw new UsageError("--active and --inactive exclude each other");
  const active = options.active === true ? true : options.inactive === true ? false : undefined;
  await context.withConnection(async (connection) => {
    const pools = await connection.listPools({ active }, context.call);
    const rows = (await Promise.all(pools.map((found) => readRow(found, context)))).filter((row) => row !== null);
    context.printResult(rows, () => formatTable(columns, rows));
  });
}

/** null: it was undefined meanwhile. */
async function readRow(pool: Pool, { call }: Context): Promise<PoolRow | null> {
  try {
    const [facts, autostart, persistent] = await Promise.all([
      pool.info(call),
      pool.autostart(call),
      pool.isPersistent(call),
    ]);
    return { name: pool.name, uuid: pool.uuid, ...facts, autostart, persistent };
  } catch (error) {
    if (error instanceof LibvirtError && error.code === ErrorCode.NO_STORAGE_POOL) return null;
    throw error;
  }
}

async function info(context: Context, name: string): Promise<void> {
  // Only here, because it brings an XML parser along.
  const { readPool } = await import("@cistern/documents");
  await withPool(context, name, async (pool, connection) => {
    const [row, document] = await Promise.all([
      readRow(pool, context),
      pool.xml({}, context.call).then((xml) => readPool(xml)),
    ]);
    // Gone meanwhile: let the server say so.
    if (row === null) return void (await connection.lookupPool(name, context.call));
    const isRunning = row.state === "running";
    const volumes = isRunning ? (await pool.listVolumes(context.call)).length : null;
    const commitment = isRunning ? await ifCistern(() => connection.poolCommitment(pool, context.call)) : null;
    const failure = isRunning ? null : await ifCistern(() => connection.autostartFailure(pool, context.call));
    const facts = {
      ...row,
      type: document.type,
      targetPath: document.target.path,
      volumes,
      commitment,
      autostartFailure: failure,
    };
    context.printResult(facts, () =>
      formatFacts({
        Name: row.name,
        UUID: row.uuid,
        Type: document.type,
        State: row.state,
        Persistent: yesNo(row.persistent),
        Autostart: yesNo(row.autostart),
        "Not started": failure === null ? null : failure.error.message,
        Attempts: failure === null ? null : formatAttempts(failure),
        Target: document.target.path,
        Volumes: volumes === null ? null : String(volumes),
        Capacity: volumes === null ? null : formatSize(row.capacityBytes),
        Allocation: volumes === null ? null : formatSize(row.allocationBytes),
        Available: volumes === null ? null : formatSize(row.availableBytes),
        Promised: commitment === null ? null : formatCommitment(commitment),
      }),
    );
  });
}

/** null: the daemon is no Cistern, and cannot tell. */
async function ifCistern<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof LibvirtError && error.code === ErrorCode.NO_SUPPORT) return null;
    throw error;
  }
}

/** "3, the next in 14 s". */
function formatAttempts({ attempts, nextAttemptAt }: AutostartFailure): string {
  if (nextAttemptAt === null) return `${attempts}, which is under way`;
  const seconds = Math.max(0, (nextAttemptAt.getTime() - Date.now()) / 1000);
  return `${attempts}, the next in ${formatDuration(seconds)}`;
}

/** "30.00 GiB (150 % of the capacity; the daemon warns above 120 %, refuses above 200 %)". */
function formatCommitment({ promisedBytes, capacityBytes, warnRatio, refuseRatio }: PoolCommitment): string {
  const share = capacityBytes === 0n ? null : `${(promisedBytes * 100n) / capacityBytes} % of the capacity`;
  const thresholds = [
    warnRatio === null ? null : `warns above ${percent(warnRatio)}`,
    refuseRatio === null ? null : `refuses above ${percent(refuseRatio)}`,
  ].filter((text) => text !== null);
  const facts = [share, thresholds.length === 0 ? null : `the daemon ${thresholds.join(", ")}`];
  const more = facts.filter((text) => text !== null).join("; ");
  return more === "" ? formatSize(promisedBytes) : `${formatSize(promisedBytes)} (${more})`;
}

function percent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`;
}

async function define(context: Context, file: string | undefined, options: DefineOptions): Promise<void> {
  const xml = await definition(context, file, options);
  await context.withConnection(async (connection) => {
    const { name, uuid } = await connection.definePool(xml, { validate: options.validate === true }, context.call);
    context.printDone(`Pool ${printable(name)} defined`, { pool: name, uuid, defined: true });
  });
}

async function definition(context: Context, file: string | undefined, options: DefineOptions): Promise<string> {
  const { name, directory } = options;
  if (file !== undefined && (name !== undefined || directory !== undefined)) {
    throw new UsageError("Give a file, or --name and --directory, not both");
  }
  if (file !== undefined) return readDocument(file, context.surroundings.stdin);
  if (name === undefined || directory === undefined) throw new UsageError("Give a file, or --name and --directory");
  if (!directory.startsWith("/")) throw new UsageError(`--directory needs an absolute path, not "${directory}"`);
  return directoryPoolXml(name, directory);
}

async function withPool(
  context: Context,
  name: string,
  work: (pool: Pool, connection: Connection) => Promise<void>,
): Promise<void> {
  await context.withConnection(async (connection) => work(await findPool(connection, name, context.call), connection));
}

function sizeIf(state: PoolInfo["state"], bytes: bigint): string {
  return state === "inactive" ? "-" : formatSize(bytes);
}
