// npm's packages, when they are missing or older than the lock, and the build.

import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { fail } from "./requirements.mjs";
import { run } from "./run.mjs";

const INSTALL_TIMEOUT_MS = 10 * 60_000;
const BUILD_TIMEOUT_MS = 5 * 60_000;

/** @param {string} root */
export async function installPackages(root) {
  if (!isStale(root)) return;
  process.stdout.write("Installing npm's packages (npm ci) …\n");
  const { status } = await run("npm", ["ci", "--no-fund", "--no-audit"], { cwd: root, timeoutMs: INSTALL_TIMEOUT_MS });
  if (status !== 0) fail(`npm ci failed with status ${status}; its words are above.`);
}

/**
 * npm writes node_modules/.package-lock.json at the end of an install.
 * @param {string} root
 */
function isStale(root) {
  const installed = join(root, "node_modules/.package-lock.json");
  return !existsSync(installed) || statSync(installed).mtimeMs < statSync(join(root, "package-lock.json")).mtimeMs;
}

/** @param {string} root */
export async function build(root) {
  process.stdout.write("Building (tsc -b) …\n");
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const { status } = await run(process.execPath, [compiler, "-b"], { cwd: root, timeoutMs: BUILD_TIMEOUT_MS });
  if (status !== 0) fail("The build failed; the compiler's words are above.");
}
