// The suites: one for the tests of each package, one for each area of tests/. Both `npm test` and vitest read this.

import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Areas of tests/ that are no suite: shared helpers, and the bench, which measures and proves nothing. */
const NOT_SUITES = new Set(["support", "bench"]);

/**
 * Suites that `npm run test:fast` leaves out, with the reason. Everything else must fit into its three minutes.
 * @type {Readonly<Record<string, string>>}
 */
export const SLOW_SUITES = {
  attachments: "starts a real libvirtd and guests",
  concurrency: "does random operations for a minute",
  crash: "kills the daemon and starts it again, many times",
  "full-disk": "fills file systems of its own",
  "command-line": "starts a real libvirtd beside cisternd",
  api: "starts a real libvirtd beside cisternd, and guests",
  examples: "starts a real libvirtd beside cisternd",
  lab: "boots a guest for each of its suites",
  compatibility: "starts real libvirtd daemons and sends every script to both",
  "drop-in": "starts real libvirtd daemons",
  robustness: "makes storage hang and waits for the deadlines",
  volumes: "does slow work on purpose, with another daemon for each setting",
};

/**
 * The same for single files of suites that are otherwise quick.
 * @type {Readonly<Record<string, string>>}
 */
export const SLOW_FILES = {
  "packages/daemon/test/drivers/create-qcow2.test.ts": "makes every image twice and lets qemu-img look at it thrice",
  "packages/daemon/test/drivers/directory-luks.test.ts": "derives keys, which is slow on purpose",
  "packages/daemon/test/drivers/file-systems.test.ts": "makes file systems and looks at what is left on their disks",
  "tests/house/api-documentation.test.ts": "reads the whole client as a compiler does",
  "packages/daemon/test/host/remote.test.ts": "makes storage hang and waits for the deadlines",
};

/**
 * The lab's suites by where they run: on the host, or (only there: they change the whole machine) in a guest of the lab.
 * `npm test` runs it by its own program, scripts/steps/lab.mjs.
 */
const LAB_INCLUDE = { host: "tests/lab/host/**/*.test.ts", guest: "tests/lab/suites/**/*.test.ts" };

/** Minutes after which a suite is ended and counts as failed. The lab is many suites, each with a limit of its own. */
export const SUITE_MINUTES = { normal: 12, long: 90, lab: 60 };

/**
 * @typedef {{ readonly name: string, readonly include: string }} Suite
 * @param {string} root the project's directory
 * @returns {Suite[]} packages first, in the order of the arrows, then the areas by name
 */
export function findSuites(root) {
  const order = ["protocol", "documents", "client", "cli", "daemon"];
  const packages = directoriesIn(join(root, "packages")).sort((a, b) => order.indexOf(a) - order.indexOf(b));
  const areas = directoriesIn(join(root, "tests")).sort();
  return [
    ...packages.map((name) => ({ name, include: `packages/${name}/test/**/*.test.ts` })),
    ...areas.filter((name) => !NOT_SUITES.has(name)).map((name) => ({ name, include: includeOf(name) })),
  ].filter(({ include }) => hasTests(join(root, include.slice(0, include.indexOf("/**")))));
}

/** @param {string} area */
function includeOf(area) {
  if (area !== "lab") return `tests/${area}/**/*.test.ts`;
  return process.env["CISTERN_LAB_LANE"] === undefined ? LAB_INCLUDE.host : LAB_INCLUDE.guest;
}

/** @param {string} path */
function directoriesIn(path) {
  if (!existsSync(path)) return [];
  return readdirSync(path).filter((name) => statSync(join(path, name)).isDirectory());
}

/** @param {string} path */
function hasTests(path) {
  return existsSync(path) && readdirSync(path, { recursive: true }).some((name) => String(name).endsWith(".test.ts"));
}
