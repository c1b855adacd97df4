// What the tests reported (tests/support/reporter.ts writes it), and the closing summary made from it.

import { existsSync, readFileSync } from "node:fs";

/**
 * @typedef {{ kind: "test", suite: string, name: string, state: "passed" | "failed" | "skipped" | "pending", reason?: string,
 *       file?: string, covers?: string, error?: string }
 *   | { kind: "broken", suite: string, name: string }
 *   | { kind: "count", suite: string, text: string }} Fact
 *
 * @typedef {object} SuiteOutcome
 * @property {string} name
 * @property {number} seconds
 * @property {number} status exit status of its process
 * @property {boolean} timedOut
 */

/**
 * @param {string} path
 * @returns {Fact[]}
 */
export function readFacts(path) {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

/**
 * @param {readonly SuiteOutcome[]} outcomes
 * @param {readonly Fact[]} facts
 * @param {boolean} skipsFail
 * @returns {{ readonly text: string, readonly passed: boolean }}
 */
export function summarise(outcomes, facts, skipsFail) {
  const tests = facts.filter((fact) => fact.kind === "test");
  const skipped = tests.filter((test) => test.state === "skipped" || test.state === "pending");
  const failed = tests.filter((test) => test.state === "failed");
  const broken = facts.filter((fact) => fact.kind === "broken");
  const fallen = outcomes.filter(({ status }) => status !== 0);
  const passed =
    fallen.length === 0 &&
    failed.length + broken.length === 0 &&
    tests.length > 0 &&
    !(skipsFail && skipped.length > 0);

  const rows = outcomes.map(({ name, seconds, status, timedOut }) => {
    const own = tests.filter((test) => test.suite === name);
    const count = (/** @type {string} */ state) => own.filter((test) => test.state === state).length;
    const verdict = timedOut ? "TIMED OUT" : status === 0 ? "ok" : "FAILED";
    const numbers =
      own.length === 0 ? "" : `${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped`;
    return `  ${name.padEnd(16)} ${seconds.toFixed(1).padStart(7)} s  ${verdict.padEnd(9)}  ${numbers}`.trimEnd();
  });
  const text = [
    ...section("Suites", rows),
    ...section(
      skipsFail ? "Skipped (a failure where CI is set)" : "Skipped",
      skipped.map((test) => `  ${test.suite}: ${test.name}\n      because: ${test.reason ?? "it was never started"}`),
    ),
    ...section(
      "Counts",
      facts.flatMap((fact) => (fact.kind === "count" ? [`  ${fact.text}`] : [])),
    ),
    // Last, because whoever sees only the end of a long output needs it most.
    ...section("Failed", [
      ...failed.map(({ suite, name, error }) => `  ${suite}: ${name}\n      because: ${error ?? "it does not say"}`),
      ...broken.map(({ suite, name }) => `  ${suite}: ${name}`),
    ]),
    "",
    `${outcomes.length} suites in ${outcomes.reduce((sum, { seconds }) => sum + seconds, 0).toFixed(1)} s, ` +
      `${tests.length} tests: ${tests.length - failed.length - skipped.length} passed, ${failed.length} failed, ` +
      `${skipped.length} skipped${broken.length > 0 ? `, ${broken.length} could not run` : ""}`,
    passed ? "All passed." : `FAILED: ${verdicts(fallen, skipsFail ? skipped.length : 0)}`,
  ].join("\n");
  return { text, passed };
}

/**
 * @param {readonly SuiteOutcome[]} fallen
 * @param {number} skips
 */
function verdicts(fallen, skips) {
  const reasons = [...fallen.map(({ name }) => name), ...(skips > 0 ? [`${skips} skipped`] : [])];
  return reasons.length === 0 ? "no suite failed, but a test did, or none ran" : reasons.join(", ");
}

/**
 * @param {string} title
 * @param {readonly string[]} lines
 */
function section(title, lines) {
  return lines.length === 0 ? [] : ["", `${title}:`, ...lines];
}
