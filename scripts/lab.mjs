// npm run lab: the suites of tests/lab alone, in guests of their own. Installs what is missing and builds first.
//
//   npm run lab                  every suite
//   npm run lab -- lvm nfs       only these
//   npm run lab -- --no-install  prints the apt line instead of installing packages
//
// CI=true in the environment: a skipped test is a failure. See docs/explanation/lab.md.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { build, installPackages } from "./steps/install.mjs";
import { runLab } from "./steps/lab.mjs";
import { writePoolTypes } from "./steps/pool-types.mjs";
import { fail, requireNode } from "./steps/requirements.mjs";
import { readFacts, summarise } from "./steps/results.mjs";
import { installSystemPackages } from "./steps/system-packages.mjs";
import { prepareZfs } from "./steps/zfs.mjs";
import { SUITE_MINUTES } from "./suites.mjs";

const root = resolve(import.meta.dirname, "..");
requireNode();
const { install, suites } = readOptions();
await installPackages(root);
await installSystemPackages(root, install);
// Suites that need it have it in their name.
if (install && (suites.length === 0 || suites.some((name) => name.includes("zfs")))) await prepareZfs(root);
await build(root);

const work = mkdtempSync(join(tmpdir(), "cistern-lab-run-"));
try {
  const factsPath = join(work, "facts.jsonl");
  const startedMs = performance.now();
  const { status, timedOut } = await runLab(root, suites, {
    timeoutMs: SUITE_MINUTES.lab * 60_000,
    env: { CISTERN_TEST_RESULTS: factsPath },
  });
  const outcome = { name: "lab", seconds: (performance.now() - startedMs) / 1000, status, timedOut };
  const facts = readFacts(factsPath);
  const { text, passed } = summarise([outcome], facts, process.env["CI"] === "true");
  if (passed) await writePoolTypes(root, facts);
  process.stdout.write(`${text}\n`);
  process.exitCode = passed ? 0 : 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

function readOptions() {
  try {
    const { values, positionals } = parseArgs({
      options: { "no-install": { type: "boolean" } },
      allowPositionals: true,
    });
    return { install: values["no-install"] !== true, suites: positionals };
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : error}\nOptions: --no-install, names of the lab's suites.`);
  }
}
