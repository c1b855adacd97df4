// npm run lab -- [suite…] comes here (scripts/lab.mjs installs and builds first): every suite of the lab or those named, each in a
// guest of its own, a few at a time. So does npm test, which leaves some out unless it takes its time. Exit status 1 when one failed.

import { runSuite, type SuiteResult } from "./run-suite.js";
import { LAB_SUITES, type LabSuite, leftOutOfTests } from "./suites.js";

/** Guests side by side: each keeps one processor busy. */
const AT_ONCE = 2;

const queue = wanted(process.argv.slice(2));
const alone = queue.length === 1;
const abort = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => abort.abort());

const results: SuiteResult[] = [];
await Promise.all(Array.from({ length: AT_ONCE }, work));
for (const { suite, verdict } of results) {
  if (verdict !== "ok") process.stdout.write(`lab: ${suite.name} ${verdict}\n`);
}
if (process.argv.length === 2 && isQuickTest()) {
  for (const suite of LAB_SUITES) {
    const reason = leftOutOfTests(suite);
    if (reason !== undefined) process.stdout.write(`lab: ${suite.name} is left to npm run lab: ${reason}\n`);
  }
}
process.exitCode = abort.signal.aborted ? 130 : results.some(({ verdict }) => verdict === "failed") ? 1 : 0;

async function work(): Promise<void> {
  for (let suite = queue.shift(); suite !== undefined && !abort.signal.aborted; suite = queue.shift()) {
    const show = alone ? writeThrough : linesOf(suite.name);
    results.push(await runSuite(suite, show, abort.signal));
  }
}

function writeThrough(bytes: Buffer | string): void {
  process.stdout.write(bytes);
}

/** Whole lines with the suite's name before them, because two suites speak at once. */
function linesOf(name: string): (bytes: Buffer | string) => void {
  const decoder = new TextDecoder();
  let rest = "";
  return (bytes) => {
    const lines = (rest + (typeof bytes === "string" ? bytes : decoder.decode(bytes, { stream: true }))).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) process.stdout.write(`${name} | ${line}\n`);
  };
}

function wanted(names: readonly string[]): LabSuite[] {
  const unknown = names.filter((name) => !LAB_SUITES.some((suite) => suite.name === name));
  if (unknown.length > 0) {
    process.stderr.write(
      `The lab has no suite ${unknown.join(", ")}. There are: ${LAB_SUITES.map(({ name }) => name).join(", ")}.\n`,
    );
    process.exit(2);
  }
  // The longest first, so that none of them is waited for at the end.
  const suites =
    names.length === 0
      ? LAB_SUITES.filter((suite) => !isQuickTest() || leftOutOfTests(suite) === undefined)
      : LAB_SUITES.filter(({ name }) => names.includes(name));
  return suites.sort((a, b) => b.minutes - a.minutes);
}

/** npm test says how much it is to do; npm run lab does not. */
function isQuickTest(): boolean {
  const effort = process.env["CISTERN_TEST_EFFORT"];
  return effort !== undefined && effort !== "long";
}
