// npm run all: the one command that proves a change. Build, lint, architecture, tests; and the tree must be as before.

import { resolve } from "node:path";
import { installPackages } from "./steps/install.mjs";
import { fail, requireNode } from "./steps/requirements.mjs";
import { run } from "./steps/run.mjs";

const root = resolve(import.meta.dirname, "..");
const STEP_TIMEOUT_MS = 45 * 60_000;

requireNode();
await installPackages(root);
const before = await treeState();
for (const script of ["build", "lint", "architecture", "test"]) {
  process.stdout.write(`\n== npm run ${script}\n`);
  const { status } = await run("npm", ["run", "--silent", script], { cwd: root, timeoutMs: STEP_TIMEOUT_MS });
  if (status !== 0) fail(`npm run ${script} failed with status ${status}.`);
}
const after = await treeState();
if (after !== before) fail(`Building and testing changed the tree.\nBefore:\n${before}\nAfter:\n${after}`);

/** What git sees changed, with the content of the changes: a tree that was dirty before must be exactly as dirty. */
async function treeState() {
  const git = (/** @type {readonly string[]} */ args) =>
    run("git", args, { cwd: root, timeoutMs: 60_000, quiet: true });
  const [status, diff] = [await git(["status", "--porcelain"]), await git(["diff", "HEAD", "--stat"])];
  return `${status.output}${diff.output}`;
}
