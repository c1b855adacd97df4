// npm run bench -- [--rows a,b] [--quick] [--json FILE] [--flushes] [--directory DIR]: builds, then runs tests/bench. See docs/how-to/measure.md.

import { join, resolve } from "node:path";
import { build, installPackages } from "./steps/install.mjs";
import { fail, requireNode } from "./steps/requirements.mjs";
import { run } from "./steps/run.mjs";

const BENCH_TIMEOUT_MS = 60 * 60_000;
const COMPILE_TIMEOUT_MS = 120_000;

const root = resolve(import.meta.dirname, "..");
requireNode();
await installPackages(root);
await build(root);
const compiler = join(root, "node_modules/typescript/bin/tsc");
const compiled = await run(process.execPath, [compiler, "-p", "tests/bench"], {
  cwd: root,
  timeoutMs: COMPILE_TIMEOUT_MS,
});
if (compiled.status !== 0) fail("The bench did not compile; the compiler's words are above.");
const { status } = await run(process.execPath, [join(root, "dist/bench/main.js"), ...process.argv.slice(2)], {
  timeoutMs: BENCH_TIMEOUT_MS,
});
process.exitCode = status;
