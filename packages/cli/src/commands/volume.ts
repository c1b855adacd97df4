import {
  type Connection,
  type Pool,
  type Volume,
  type VolumeInfo,
  WIPE_ALGORITHMS,
  type WipeAlgorithm,
} from "@cistern/client";
import { ErrorCode, LibvirtError } from "@cistern/protocol";
import { type Command, Option } from "commander";
import { type Context, findPool } from "../context.js";
import { newVolumeXml, readDocument } from "../documents.js";
import { UsageError } from "../exit-status.js";
import { formatSize } from "../output/size.js";
import { type Column, formatFacts, formatTable } from "../output/table.js";
import { printable } from "../output/text.js";
import { sizeArgument } from "./arguments.js";

type ContextOf = (command: Command) => Context;

interface VolumeRow extends VolumeInfo {
  readonly name: string;
  readonly path: string;
}

const columns: readonly Column<VolumeRow>[] = [
  { title: "NAME", cell: ({ name }) => name },
  { title: "KIND", cell: ({ kind }) => kind },
  { title: "CAPACITY", align: "right", cell: ({ capacityBytes }) => formatSize(capacityBytes) },
  { title: "ALLOCATION", align: "right", cell: ({ allocationBytes }) => formatSize(allocationBytes) },
  { title: "PATH", cell: ({ path }) => path },
];

export function addVolumeCommands(volume: Command, contextOf: ContextOf): void {
  volume
    .command("list <pool>")
    .description("List a pool's volumes")
    .action((pool: string, _options: unknown, command: Command) => list(contextOf(command), pool));

  volume
    .command("info <pool> <volume>")
    .description("Show a volume's facts")
    .action((pool: string, name: string, _options: unknown, command: Command) => info(contextOf(command), pool, name));

  volume
    .command("show <pool> <volume>")
    .description("Print a volume's XML document")
    .action((pool: string, name: string, _options: unknown, command: Command) => {
      const context = contextOf(command);
      return withVolume(context, pool, name, async (found) => context.printDocument(await found.xml(context.call)));
    });

  volume
    .command("create <pool> [name] [size]")
    .description("Make a volume, by name and size (10G, 500MB …) or by an XML document")
    .option("--xml <file>", 'the volume\'s document instead ("-": standard input)')
    .option("--format <format>", "raw, qcow2 … (default: the pool's own)")
    .option("--allocation <size>", "space to take now (default: all of it for raw)", sizeArgument)
    .option("--backing <path>", "the file that shows through where nothing is written")
    .option("--backing-format <format>", "its format")
    .option("--preallocate-metadata", "write the format's tables for the whole size now")
    .option("--validate", "check the document against the schema first")
    .action(
      (pool: string, name: string | undefined, size: string | undefined, options: CreateOptions, command: Command) =>
        create(contextOf(command), pool, name, size, options),
    );

  volume
    .command("clone <pool> <volume> <name>")
    .description("Make a volume with another's contents")
    .option("--to <pool>", "in this pool (default: the same)")
    .option("--format <format>", "in this format (default: the same)")
    .option("--reflink", "share blocks, where the file system can")
    .option("--preallocate-metadata", "write the format's tables for the whole size now")
    .action((pool: string, name: string, newName: string, options: CloneOptions, command: Command) =>
      clone(contextOf(command), pool, name, newName, options),
    );

  volume
    .command("resize <pool> <volume> <size>")
    .description("Change a volume's capacity; +SIZE adds to it")
    .option("--shrink", "allow a smaller one: what is behind it is lost")
    .option("--allocate", "take the space now")
    .action(
      (
        pool: string,
        name: string,
        size: string,
        options: { shrink?: boolean; allocate?: boolean },
        command: Command,
      ) => {
        const delta = size.startsWith("+");
        const bytes = sizeArgument(delta ? size.slice(1) : size);
        const settings = { delta, ...options };
        return act(contextOf(command), pool, [name], "resized", (found, call) => found.resize(bytes, settings, call));
      },
    );

  volume
    .command("wipe <pool> <volume...>")
    .description("Overwrite volumes so that their contents cannot be read again")
    .addOption(new Option("--algorithm <name>", "how").choices(WIPE_ALGORITHMS).default("zero"))
    .action((pool: string, names: string[], { algorithm }: { algorithm: WipeAlgorithm }, command: Command) =>
      act(contextOf(command), pool, names, "wiped", (found, call) => found.wipe(algorithm, call)),
    );

  volume
    .command("delete <pool> <volume...>")
    .description("Delete volumes")
    .option("--with-snapshots", "and their snapshots, where the pool type has them")
    .action((pool: string, names: string[], options: { withSnapshots?: boolean }, command: Command) =>
      act(contextOf(command), pool, names, "deleted", (found, call) => found.delete(options, call)),
    );
}

interface CreateOptions {
  readonly xml?: string;
  readonly format?: string;
  readonly allocation?: bigint;
  readonly backing?: string;
  readonly backingFormat?: string;
  readonly preallocateMetadata?: boolean;
  readonly validate?: boolean;
}

interface CloneOptions {
  readonly to?: string;
  readonly format?: string;
  readonly reflink?: boolean;
  readonly preallocateMetadata?: boolean;
}

async function list(context: Context, poolName: string): Promise<void> {
  await context.withConnection(async (connection) => {
    const pool = await findPool(connection, poolName, context.call);
    const volumes = await pool.listVolumes(context.call);
    const rows = (await Promise.all(volumes.map((volume) => readRow(volume, context)))).filter((row) => row !== null);
    context.printResult(rows, () => formatTable(columns, rows));
  });
}

/** null: it was deleted meanwhile. */
async function readRow(volume: Volume, { call }: Context): Promise<VolumeRow | null> {
  try {
    const [facts, path] = await Promise.all([volume.info({}, call), volume.path(call)]);
    return { name: volume.name, path, ...facts };
  } catch (error) {
    if (error instanceof LibvirtError && error.code === ErrorCode.NO_STORAGE_VOL) return null;
    throw error;
  }
}

async function info(context: Context, poolName: string, name: string): Promise<void> {
  await withVolume(context, poolName, name, async (volume, pool) => {
    const [facts, path, document] = await Promise.all([
      volume.info({}, context.call),
      volume.path(context.call),
      readVolumeOf(volume, pool, context),
    ]);
    const { target, backingStore, physicalBytes } = document;
    const data = {
      name: volume.name,
      pool: volume.poolName,
      key: volume.key,
      path,
      ...facts,
      physicalBytes,
      format: target.format,
      backing: backingStore === null ? null : { path: backingStore.path, format: backingStore.format },
    };
    context.printResult(data, () =>
      formatFacts({
        Name: volume.name,
        Pool: volume.poolName,
        Kind: facts.kind,
        Format: target.format,
        Path: path,
        Key: volume.key === path ? null : volume.key,
        Capacity: formatSize(facts.capacityBytes),
        Allocation: formatSize(facts.allocationBytes),
        Physical: physicalBytes === 0n ? null : formatSize(physicalBytes),
        Backing: backingStore === null ? null : `${backingStore.path} (${backingStore.format ?? "unknown format"})`,
      }),
    );
  });
}

async function create(
  context: Context,
  poolName: string,
  name: string | undefined,
  size: string | undefined,
  options: CreateOptions,
): Promise<void> {
  const xml = await volumeDefinition(context, name, size, options);
  await context.withConnection(async (connection) => {
    const pool = await findPool(connection, poolName, context.call);
    const volume = await pool.createVolume(xml, options, context.call);
    context.printDone(`Volume ${printable(volume.name)} created`, created(volume));
  });
}

async function volumeDefinition(
  context: Context,
  name: string | undefined,
  size: string | undefined,
  options: CreateOptions,
): Promise<string> {
  const { xml, format = null, allocation = null, backing, backingFormat = null } = options;
  if (xml !== undefined) {
    const described = [name, size, options.format, allocation, backing, options.backingFormat];
    if (described.some((value) => value !== undefined && value !== null)) {
      throw new UsageError("--xml says everything; name, size, format, allocation and backing go without it");
    }
    return readDocument(xml, context.surroundings.stdin);
  }
  if (name === undefined || size === undefined) throw new UsageError("Give a name and a size, or --xml");
  if (backing === undefined && backingFormat !== null) throw new UsageError("--backing-format needs --backing");
  const capacityBytes = sizeArgument(size);
  const backingStore = backing === undefined ? null : { path: backing, format: backingFormat };
  return newVolumeXml({ name, capacityBytes, allocationBytes: allocation, format, backing: backingStore });
}

async function clone(
  context: Context,
  poolName: string,
  name: string,
  newName: string,
  options: CloneOptions,
): Promise<void> {
  const { writeVolume } = await import("@cistern/documents");
  await context.withConnection(async (connection) => {
    const pool = await findPool(connection, poolName, context.call);
    const source = await pool.lookupVolume(name, context.call);
    const target = options.to === undefined ? pool : await findPool(connection, options.to, context.call);
    const document = await readVolumeOf(source, pool, context);
    const format = options.format ?? document.target.format;
    const wanted = { ...document, name: newName, key: null, target: { ...document.target, format, path: null } };
    const { type } = await readPoolOf(target, context);
    const volume = await target.cloneVolume(writeVolume(wanted, type), source, options, context.call);
    context.printDone(`Volume ${printable(name)} cloned to ${printable(volume.name)}`, created(volume));
  });
}

/** One thing done to one or more volumes of a pool, one after the other. */
async function act(
  context: Context,
  poolName: string,
  names: readonly string[],
  done: string,
  run: (volume: Volume, call: Context["call"]) => Promise<void>,
): Promise<void> {
  await context.withConnection(async (connection) => {
    const pool = await findPool(connection, poolName, context.call);
    for (const name of names) {
      const volume = await pool.lookupVolume(name, context.call);
      await run(volume, context.call);
      context.printDone(`Volume ${printable(volume.name)} ${done}`, {
        pool: pool.name,
        volume: volume.name,
        [done]: true,
      });
    }
  });
}

async function withVolume(
  context: Context,
  poolName: string,
  name: string,
  work: (volume: Volume, pool: Pool, connection: Connection) => Promise<void>,
): Promise<void> {
  await context.withConnection(async (connection) => {
    const pool = await findPool(connection, poolName, context.call);
    await work(await pool.lookupVolume(name, context.call), pool, connection);
  });
}

function created(volume: Volume): unknown {
  return { pool: volume.poolName, volume: volume.name, key: volume.key, created: true };
}

// The documents package brings an XML parser along: it is loaded only where a document is read.
async function readVolumeOf(volume: Volume, pool: Pool, context: Context) {
  const { readVolume } = await import("@cistern/documents");
  const [{ type }, xml] = await Promise.all([readPoolOf(pool, context), volume.xml(context.call)]);
  return readVolume(xml, type, { capacity: "optional", measured: "read" });
}

async function readPoolOf(pool: Pool, context: Context) {
  const { readPool } = await import("@cistern/documents");
  return readPool(await pool.xml({}, context.call));
}
