// One side of a comparison, in a guest: side.js TYPE DAEMON runs all scripts of the type against the daemon, and leaves a file
// SCRIPT.json with the steps of each in the job's results. compare-type.ts starts it, in one guest for each daemon.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { normaliseSteps } from "../../compatibility/normalise.js";
import { cleanSide, runScript, type Step } from "../../compatibility/script-run.js";
import { type DaemonName, forget, openSide, type Side } from "../../compatibility/side.js";
import { makeWorkFileSystem } from "../../compatibility/work-file-system.js";
import { requireGuest } from "../guest/run.js";
import { PROJECT } from "../lanes/job.js";
import type { Preparation } from "./preparation.js";

const RESULTS = "/run/lab/job/results";
/** Short: sockets lie below it. */
const BASE = "/run/cmp";
/** Programs start five times slower in a guest, and several guests share the machine. */
const SCRIPT_TIMEOUT_MS = 300_000;

requireGuest();
const [type = "", daemon = "", ...wanted] = process.argv.slice(2);
const { preparation } = (await import(`./${type}/prepare.js`)) as { readonly preparation: Preparation };
await preparation.setUp();
mkdirSync(BASE);
const work = await makeWorkFileSystem("/tmp/work.img", join(BASE, "work"));
const side = await openSide(daemon as DaemonName, BASE, "side", work);
try {
  for (const script of wanted) {
    const steps = await runOn(side, script);
    writeFileSync(join(RESULTS, `${script}.json`), JSON.stringify(steps));
    process.stdout.write(`${daemon}: ${type}/${script}: ${steps.length} steps\n`);
  }
} finally {
  await side.close();
}

async function runOn(fresh: Side, script: string): Promise<Step[]> {
  const prepared = await preparation.renew();
  const own = { ...fresh, environment: prepared.environment, scriptTimeoutMs: SCRIPT_TIMEOUT_MS };
  const steps = await runScript(own, join(PROJECT, "tests/lab/comparison", type, script));
  const left = await cleanSide(own).catch(String);
  if (left !== "") {
    await own.daemon.stop();
    await forget(own);
    await own.daemon.start();
  }
  // What cannot be taken away is compared as well: both daemons should leave the same.
  await Promise.resolve(prepared.end()).catch((error: unknown) =>
    steps.push({ label: "(left)", outcome: String(error) }),
  );
  return normaliseSteps(own, steps);
}
