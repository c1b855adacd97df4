// npm test: installs what is missing, builds, runs every suite, and says at the end what ran, what did not and why.
//
//   npm test                        everything
//   npm run test:fast               without what scripts/suites.mjs calls slow; about three minutes
//   npm run test:long               everything with full counts
//   npm test -- --no-install        prints the apt line instead of installing packages
//   npm test -- protocol documents  only these suites
//
// CI=true in the environment: a skipped test is a failure.

import { appendFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { build, installPackages } from "./steps/install.mjs";
import { runLab } from "./steps/lab.mjs";
import { writePoolTypes } from "./steps/pool-types.mjs";
import { fail, requireNode } from "./steps/requirements.mjs";
import { readFacts, summarise } from "./steps/results.mjs";
import { run } from "./steps/run.mjs";
import { installSystemPackages } from "./steps/system-packages.mjs";
import { prepareZfs } from "./steps/zfs.mjs";
import { findSuites, SLOW_FILES, SLOW_SUITES, SUITE_MINUTES } from "./suites.mjs";

const root = resolve(import.meta.dirname, "..");
/** Acceptance of the whole by real clients; lies beside the project where its makers keep it. */
const BAR = resolve(root, "../shared/bars/spine.sh");

requireNode();
const options = readOptions();
const effort = options.fast ? "fast" : options.long ? "long" : "normal";
const timeoutMs = (options.long ? SUITE_MINUTES.long : SUITE_MINUTES.normal) * 60_000;
let interrupted = false;
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.on(signal, () => {
    interrupted = true;
  });
}

await installPackages(root);
await installSystemPackages(root, !options["no-install"]);
// Without it, the lab's suites that need it are left out.
if (options.long && !options["no-install"]) await prepareZfs(root);
await build(root);

const work = mkdtempSync(join(tmpdir(), "cistern-test-"));
const factsPath = join(work, "facts.jsonl");
/** @type {import("./steps/results.mjs").SuiteOutcome[]} */
const outcomes = [];
try {
  for (const step of steps()) {
    if (interrupted) break;
    process.stdout.write(`\n== ${step.name}\n`);
    const startedMs = performance.now();
    const { status, timedOut } = await step.run();
    const seconds = (performance.now() - startedMs) / 1000;
    process.stdout.write(`== ${step.name}: ${seconds.toFixed(1)} s\n`);
    outcomes.push({ name: step.name, seconds, status, timedOut });
  }
  const facts = readFacts(factsPath);
  for (const [name, reason] of leftOut()) process.stdout.write(`\nLeft out by --fast: ${name}, because it ${reason}.`);
  const { text, passed } = summarise(outcomes, facts, process.env["CI"] === "true");
  if (passed && !interrupted) await writePoolTypes(root, facts);
  process.stdout.write(`${text}\n`);
  process.exitCode = interrupted ? 130 : passed ? 0 : 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** @returns {{ readonly name: string, readonly run: () => Promise<import("./steps/run.mjs").RunResult> }[]} */
function steps() {
  const types = {
    name: "types of tests",
    run: () => run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tests"], { cwd: root, timeoutMs }),
  };
  const bar = { name: "bar: spine", run: spineBar };
  const suites = wantedSuites().map(({ name }) => ({ name, run: () => (name === "lab" ? lab() : vitest(name)) }));
  if (options.suites.length > 0) return suites;
  return [types, ...suites, ...(existsSync(BAR) && !options.fast ? [bar] : [])];
}

function lab() {
  const limitMs = SUITE_MINUTES.lab * 60_000;
  return runLab(root, [], {
    timeoutMs: limitMs,
    env: { CISTERN_TEST_EFFORT: effort, CISTERN_TEST_RESULTS: factsPath },
  });
}

/** @param {string} suite */
function vitest(suite) {
  const reporters = ["--reporter=default", `--reporter=${join(root, "tests/support/reporter.ts")}`];
  return run(
    process.execPath,
    [join(root, "node_modules/vitest/vitest.mjs"), "run", "--project", suite, ...reporters],
    {
      cwd: root,
      timeoutMs,
      env: { CISTERN_TEST_EFFORT: effort, CISTERN_TEST_RESULTS: factsPath, CISTERN_TEST_SUITE: suite },
    },
  );
}

/** Its last line is the count: "57 of 57 checks hold". */
async function spineBar() {
  const result = await run(BAR, [], { cwd: root, timeoutMs, keep: true });
  const count = /^\d+ of \d+ checks hold$/m.exec(result.output)?.[0];
  if (count !== undefined) {
    appendFileSync(
      factsPath,
      `${JSON.stringify({ kind: "count", suite: "bar: spine", text: `bar spine: ${count}` })}\n`,
    );
  }
  return result;
}

function wantedSuites() {
  const all = findSuites(root);
  const unknown = options.suites.filter((name) => !all.some((suite) => suite.name === name));
  if (unknown.length > 0) {
    fail(`No suite is called ${unknown.join(", ")}. There are: ${all.map(({ name }) => name).join(", ")}.`);
  }
  if (options.suites.length > 0) return all.filter(({ name }) => options.suites.includes(name));
  return options.fast ? all.filter(({ name }) => !(name in SLOW_SUITES)) : all;
}

function leftOut() {
  const names = new Set(findSuites(root).map(({ name }) => name));
  if (!options.fast) return [];
  return [...Object.entries(SLOW_SUITES).filter(([name]) => names.has(name)), ...Object.entries(SLOW_FILES)];
}

function readOptions() {
  try {
    const { values, positionals } = parseArgs({
      options: { fast: { type: "boolean" }, long: { type: "boolean" }, "no-install": { type: "boolean" } },
      allowPositionals: true,
    });
    return { ...values, suites: positionals };
  } catch (error) {
    return fail(
      `${error instanceof Error ? error.message : error}\nOptions: --fast, --long, --no-install, names of suites.`,
    );
  }
}
