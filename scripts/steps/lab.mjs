// The lab: suites that run in throw-away guests. tests/lab says what it is; here it is compiled and started.

import { join } from "node:path";
import { run } from "./run.mjs";

const COMPILE_TIMEOUT_MS = 120_000;

/**
 * @param {string} root
 * @param {readonly string[]} suites all of them when empty
 * @param {{ readonly timeoutMs: number, readonly env: NodeJS.ProcessEnv }} options
 * @returns {Promise<import("./run.mjs").RunResult>}
 */
export async function runLab(root, suites, { timeoutMs, env }) {
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const compiled = await run(process.execPath, [compiler, "-p", "tests/lab"], {
    cwd: root,
    timeoutMs: COMPILE_TIMEOUT_MS,
  });
  if (compiled.status !== 0) return compiled;
  return run(process.execPath, [join(root, "dist/lab/main.js"), ...suites], { cwd: root, timeoutMs, env });
}
