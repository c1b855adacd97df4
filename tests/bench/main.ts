// npm run bench: cisternd and a private real libvirtd side by side in one run, interleaved. docs/how-to/measure.md.

import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { flushesOf } from "./flushes.js";
import { GUEST_ROWS, type GuestRow, guestsUnavailable, measureGuests, SCALES } from "./guests.js";
import { machineFacts } from "./machine.js";
import { type Measurement, measure } from "./measure.js";
import type { Row } from "./row.js";
import { ROWS } from "./rows.js";
import { openSides, sidesUnavailable } from "./sides.js";
import { formatGuestTable, formatTable } from "./table.js";

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
  const guests = await guestReport(options);
  if (options.rows.length > 0) await compare(options, machine, guests);
  else if (options.json !== undefined) await writeReport(options.json, { machine, quick: options.quick, guests });
}

/** Rows of guests, one after the other with the comparison: both want the whole machine. */
async function guestReport({ guestRows, quick, directory }: Options) {
  if (guestRows.length === 0) return [];
  const unavailable = guestsUnavailable();
  if (unavailable !== undefined) throw new Error(`Guests cannot be measured here: ${unavailable}.`);
  const scale = quick ? SCALES.quick : SCALES.normal;
  process.stdout.write(`Making ${scale.guests} guests and ${scale.volumes} volumes …\n`);
  const measurements = (await measureGuests(directory, scale)).filter(({ row }) => guestRows.includes(row));
  process.stdout.write(`\n${formatGuestTable(measurements, scale)}\n`);
  return measurements.map(({ row: { name, targetMs }, ...facts }) => ({ name, targetMs, ...facts }));
}

async function compare(options: Options, machine: object, guests: readonly object[]): Promise<void> {
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
    const rows = measurements.map(forReport(volumes));
    await writeReport(options.json, { machine, quick: options.quick, volumes, rows, guests });
  }
}

async function writeReport(file: string, report: object): Promise<void> {
  await writeFile(file, `${JSON.stringify(report, null, 2)}\n`);
}

interface Options {
  readonly rows: readonly Row[];
  readonly guestRows: readonly GuestRow[];
  readonly quick: boolean;
  readonly json: string | undefined;
  /** Instead of times, the flushes of one operation of each row. */
  readonly flushes: boolean;
  /** Where everything lies. */
  readonly directory: string;
}

function readOptions(): Options {
  const { rows, quick, json, flushes, directory } = parse();
  const all = [...ROWS, ...GUEST_ROWS].map(({ name }) => name);
  const names = rows?.split(",").map((name) => name.trim()) ?? all;
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined) throw new UsageError(`No row is called "${unknown}". There are: ${all.join(", ")}.`);
  return {
    rows: ROWS.filter(({ name }) => names.includes(name)),
    guestRows: flushes === true ? [] : GUEST_ROWS.filter(({ name }) => names.includes(name)),
    quick: quick ?? false,
    json,
    flushes: flushes ?? false,
    directory: directory ?? tmpdir(),
  };
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
