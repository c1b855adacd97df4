// npm run bench: cisternd and a private real libvirtd side by side in one run, interleaved. docs/how-to/measure.md.

import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { flushesOf } from "./flushes.js";
import { machineFacts } from "./machine.js";
import { type Measurement, measure } from "./measure.js";
import type { Row } from "./row.js";
import { ROWS } from "./rows.js";
import { openSides, sidesUnavailable } from "./sides.js";
import { formatTable } from "./table.js";

/** Volumes in the full pool. */
const VOLUMES = { normal: 10_000, quick: 1_000, none: 1 };

const USAGE = "[--rows a,b] [--quick] [--json FILE] [--flushes] [--directory DIR]";

class UsageError extends Error {}

async function main(): Promise<void> {
  const options = readOptions();
  const unavailable = sidesUnavailable();
  if (unavailable !== undefined) throw new Error(`The bench cannot run here: ${unavailable}.`);

  const machine = await machineFacts(options.directory);
  const disk = options.rows.find(({ usesDisk }) => usesDisk);
  if (disk !== undefined && machine.fileSystem === "tmpfs") {
    throw new Error(
      `The row "${disk.name}" measures a disk, and ${options.directory} is a tmpfs: name another directory with --directory.`,
    );
  }
  process.stdout.write(
    `Linux ${machine.kernel}, ${machine.cpus} × ${machine.cpu}, ${machine.memoryGiB} GiB, ${machine.fileSystem} in ${options.directory}; ` +
      `Node ${machine.node}, libvirt ${machine.libvirt}\n`,
  );
  const all = options.quick ? VOLUMES.quick : VOLUMES.normal;
  const volumes = options.rows.some(({ usesImages }) => usesImages) ? all : VOLUMES.none;
  process.stdout.write(`Making ${volumes} images and starting both daemons …\n`);
  await using sides = await openSides(options.directory, volumes);
  if (options.flushes) {
    process.stdout.write(`${await flushesOf(options.rows, sides)}\n`);
    return;
  }

  const measurements: Measurement[] = [];
  for (const row of options.rows) {
    process.stdout.write(`  ${row.title(volumes)} …\n`);
    measurements.push(await measure(row, sides, options.quick ? row.rounds.quick : row.rounds.normal));
  }
  process.stdout.write(`\n${formatTable(measurements, volumes)}\n`);
  if (options.json !== undefined) {
    const report = { machine, quick: options.quick, volumes, rows: measurements.map(forReport(volumes)) };
    await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
  }
}

interface Options {
  readonly rows: readonly Row[];
  readonly quick: boolean;
  readonly json: string | undefined;
  /** Instead of times, the flushes of one operation of each row. */
  readonly flushes: boolean;
  /** Where everything lies. */
  readonly directory: string;
}

function readOptions(): Options {
  const { rows, quick, json, flushes, directory } = parse();
  const names = rows?.split(",").map((name) => name.trim()) ?? ROWS.map(({ name }) => name);
  const chosen = names.map((name) => {
    const row = ROWS.find((candidate) => candidate.name === name);
    if (row !== undefined) return row;
    throw new UsageError(`No row is called "${name}". There are: ${ROWS.map((each) => each.name).join(", ")}.`);
  });
  return { rows: chosen, quick: quick ?? false, json, flushes: flushes ?? false, directory: directory ?? tmpdir() };
}

function parse() {
  try {
    return parseArgs({
      options: {
        rows: { type: "string" },
        quick: { type: "boolean" },
        json: { type: "string" },
        flushes: { type: "boolean" },
        directory: { type: "string" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nUsage: npm run bench -- ${USAGE}`);
  }
}

function forReport(volumes: number) {
  return ({ row, cisternd, libvirtd, ratio, met, complaint }: Measurement) => ({
    name: row.name,
    title: row.title(volumes),
    unit: row.unit,
    cisternd,
    libvirtd,
    ratio,
    target: row.target,
    met,
    complaint,
  });
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
