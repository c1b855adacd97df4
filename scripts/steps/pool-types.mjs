// docs/pool-types.md: pool type by operation, and how near to the real thing a test has come. Made from the driver table and
// from docs/pool-types.json, which test runs write: test file -> pool type -> operation -> "real" or "commands".

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * @typedef {"real" | "commands"} Nearness
 * @typedef {Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, Nearness>>>>>>} Coverage
 * @typedef {{ readonly type: string, readonly operations: ReadonlySet<string> | null }} DriverRow operations null: no driver
 * @typedef {{ readonly kind: string, readonly state?: string, readonly name?: string, readonly file?: string,
 *   readonly covers?: string }} CoverageFact
 */

/** What a driver can do. `pool.scan` is a refresh; `volume.undo` takes away what a daemon that died has left. */
export const OPERATIONS = /** @type {const} */ ([
  "pool.build",
  "pool.start",
  "pool.scan",
  "pool.stop",
  "pool.delete",
  "pool.discover",
  "volume.create",
  "volume.createFrom",
  "volume.remove",
  "volume.resize",
  "volume.wipe",
  "volume.download",
  "volume.upload",
  "volume.undo",
]);

/**
 * Operations that no test drives, each with the reason. An operation that is covered has no place here.
 * @type {Readonly<Record<string, Readonly<Record<string, string>>>>}
 */
export const NEVER_RUN = {};

const COVERAGE = "docs/pool-types.json";
const DOCUMENT = "docs/pool-types.md";

/**
 * What each driver can do, by the table of drivers.
 * @param {string} root
 * @returns {Promise<DriverRow[]>}
 */
export async function driverRows(root) {
  const { drivers } = await import(join(root, "packages/daemon/dist/drivers/index.js"));
  return Object.values(drivers).map((driver) => ({
    type: driver.type,
    operations: "absent" in driver ? null : operationsOf(driver),
  }));
}

/**
 * @param {Record<string, any>} driver a StorageDriver
 * @returns {Set<string>}
 */
function operationsOf(driver) {
  /** @type {Record<string, any>} */
  const volumes = driver["volumes"] ?? {};
  const present = {
    "pool.build": driver["build"],
    "pool.start": driver["start"],
    "pool.scan": driver["scan"],
    "pool.stop": driver["stop"],
    "pool.delete": driver["delete"],
    "pool.discover": driver["discover"],
    "volume.create": volumes["allocate"],
    "volume.createFrom": driver["traits"].clones ? volumes["fill"] : undefined,
    "volume.remove": volumes["remove"],
    "volume.resize": volumes["resize"],
    "volume.wipe": volumes["wipe"],
    "volume.download": volumes["openForDownload"],
    "volume.upload": volumes["openForUpload"],
    "volume.undo": volumes["undo"],
  };
  return new Set(OPERATIONS.filter((operation) => present[operation] !== undefined));
}

/**
 * @param {string} root
 * @returns {Coverage}
 */
export function readCoverage(root) {
  return JSON.parse(readFileSync(join(root, COVERAGE), "utf8"));
}

/**
 * Puts what a run has shown in the place of what was known of the files that it ran. A file of which a test failed, was skipped
 * or never came to an end shows nothing, and what was known of it stays.
 * @param {Coverage} known
 * @param {readonly CoverageFact[]} facts
 * @returns {Coverage}
 */
export function mergeCoverage(known, facts) {
  /** @type {Record<string, Record<string, Record<string, Nearness>>>} */
  const found = {};
  for (const { state, file, covers } of facts) {
    if (state !== "passed" || file === undefined || covers === undefined) continue;
    const ofFile = found[file] ?? {};
    found[file] = ofFile;
    for (const claim of covers.split(",")) {
      const [type = "", operation = "", nearness] = claim.split(" ");
      const before = ofFile[type]?.[operation];
      ofFile[type] = { ...ofFile[type], [operation]: before === "real" || nearness === "real" ? "real" : "commands" };
    }
  }
  const incomplete = facts.filter(({ kind, state }) => kind === "broken" || (kind === "test" && state !== "passed"));
  const whole = Object.entries(found).filter(([file]) => !incomplete.some(({ name }) => name?.startsWith(file)));
  return sorted({ ...known, ...Object.fromEntries(whole) });
}

/**
 * The nearest that any test has come, or why none has; "missing" is a cell that has to be filled or given a reason.
 * @param {DriverRow} row
 * @param {string} operation
 * @param {Coverage} coverage
 * @param {typeof NEVER_RUN} [neverRun]
 * @returns {{ readonly kind: "real" | "commands" | "none" | "missing" } | { readonly kind: "never", readonly reason: string }}
 */
export function cell({ type, operations }, operation, coverage, neverRun = NEVER_RUN) {
  if (operations === null || !operations.has(operation)) return { kind: "none" };
  const found = Object.values(coverage).map((types) => types[type]?.[operation]);
  if (found.includes("real")) return { kind: "real" };
  if (found.includes("commands")) return { kind: "commands" };
  const reason = neverRun[type]?.[operation];
  return reason === undefined ? { kind: "missing" } : { kind: "never", reason };
}

const MARKS = { real: "real", commands: "commands", none: "–", missing: "**MISSING**" };

/**
 * @param {readonly DriverRow[]} rows
 * @param {Coverage} coverage
 * @param {typeof NEVER_RUN} [neverRun]
 * @returns {string} the document
 */
export function poolTypesDocument(rows, coverage, neverRun = NEVER_RUN) {
  const built = rows.filter(({ operations }) => operations !== null);
  /** @type {string[]} */
  const reasons = [];
  const mark = (/** @type {DriverRow} */ row, /** @type {string} */ operation) => {
    const found = cell(row, operation, coverage, neverRun);
    if (found.kind !== "never") return MARKS[found.kind];
    if (!reasons.includes(found.reason)) reasons.push(found.reason);
    return `never (${reasons.indexOf(found.reason) + 1})`;
  };
  const table = (/** @type {string} */ prefix) => {
    const operations = OPERATIONS.filter((operation) => operation.startsWith(prefix));
    return [
      `| ${["type", ...operations.map((operation) => operation.slice(prefix.length))].join(" | ")} |`,
      `|${" -- |".repeat(operations.length + 1)}`,
      ...built.map((row) => `| ${[row.type, ...operations.map((operation) => mark(row, operation))].join(" | ")} |`),
    ];
  };
  const absent = rows.filter(({ operations }) => operations === null).map(({ type }) => type);
  const files = Object.entries(coverage).map(([file, types]) => `- \`${file}\`: ${Object.keys(types).join(", ")}`);
  return `${[
    "# Pool types and what was run of them",
    "",
    "Made by `npm run pool-types` from the table of drivers and from `docs/pool-types.json`, which test runs write. Not to be edited.",
    "",
    "- **real**: a test that passed drives it on the real storage, on this kind of machine or in a guest of the lab.",
    "- **commands**: tests look at command lines and recorded output alone, or stand in for the programs.",
    "- **never**: nothing has driven it; the number leads to the reason.",
    "- **–**: the technology has no such thing, or nothing has to be done; clients get libvirt's answer.",
    "",
    "## Pools",
    "",
    ...table("pool."),
    "",
    "## Volumes",
    "",
    ...table("volume."),
    "",
    ...(reasons.length === 0 ? [] : ["## Never run", "", ...reasons.map((reason, at) => `${at + 1}. ${reason}`), ""]),
    ...(absent.length === 0 ? [] : ["## Without a driver", "", `${absent.join(", ")}.`, ""]),
    "## Which tests say so",
    "",
    ...files,
  ].join("\n")}\n`;
}

/**
 * Writes the document, and before it what a run has shown.
 * @param {string} root
 * @param {readonly CoverageFact[]} facts
 */
export async function writePoolTypes(root, facts) {
  const coverage = mergeCoverage(readCoverage(root), facts);
  writeFileSync(join(root, COVERAGE), `${JSON.stringify(coverage, null, 2)}\n`);
  writeFileSync(join(root, DOCUMENT), poolTypesDocument(await driverRows(root), coverage));
}

/**
 * @template T
 * @param {T} value
 * @returns {T} with the names of all its objects in order
 */
function sorted(value) {
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, each]) => [name, sorted(each)]);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
