import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cisterndUnavailable } from "../support/cisternd.js";
import { libvirtdUnavailable } from "../support/libvirtd.js";
import { describeDifference } from "./difference.js";
import { Judge } from "./judge.js";
import { normaliseSteps } from "./normalise.js";
import { cleanSide, runProgram, runScript, type Step } from "./script-run.js";
import { type DaemonName, forget, openSide, type Side } from "./side.js";
import { WANTED_DIFFERENCES } from "./wanted-differences.js";
import { makeWorkFileSystem } from "./work-file-system.js";

/** COMPATIBILITY_OURS=libvirtd compares libvirtd with itself: that there is no difference then proves the harness. */
const ours: DaemonName = process.env["COMPATIBILITY_OURS"] === "libvirtd" ? "libvirtd" : "cisternd";
/** COMPATIBILITY_PRINT=1 prints what the original answered at each step. */
const print = process.env["COMPATIBILITY_PRINT"] !== undefined;
/** COMPATIBILITY_REPORT names a file that gets every difference. */
const reportFile = process.env["COMPATIBILITY_REPORT"];

const reason = libvirtdUnavailable() ?? (ours === "cisternd" ? cisterndUnavailable() : undefined);
const verdicts = new Judge(ours === "cisternd" ? WANTED_DIFFERENCES : []);
const SCRIPT_TIMEOUT_MS = 150_000;

const scripts = await filesIn("scripts", /\.(?:py|pl|virsh)$/);
const programs = await filesIn("programs", /\.py$/);

let base: string;
let sides: readonly [original: Side, ours: Side];

describe("libvirtd 9.0.0 and cisternd answer alike", () => {
  beforeAll(async () => {
    if (reason !== undefined) return;
    base = await mkdtemp(join(tmpdir(), "cmp-"));
    const work = join(base, "work");
    const open = async (name: DaemonName, label: string) =>
      openSide(name, base, label, await makeWorkFileSystem(join(base, `${label}.img`), work));
    sides = [await open("libvirtd", "a"), await open(ours, "b")];
  });

  afterAll(async () => {
    if (reason !== undefined) {
      console.log(`compatibility: skipped, ${reason}`);
      return;
    }
    for (const side of sides ?? []) await side.close();
    await rm(base, { recursive: true, force: true });
    console.log(
      `compatibility: ${verdicts.scripts} scripts, ${verdicts.steps} steps compared, ` +
        `${verdicts.usedCount} wanted differences, ${verdicts.unwanted.length} unwanted`,
    );
    if (reportFile) await writeFile(reportFile, `${verdicts.unwanted.map(describeDifference).join("\n\n")}\n`);
  });

  test.for(scripts)("%s", { timeout: SCRIPT_TIMEOUT_MS }, async (file, context) => {
    if (reason !== undefined) context.skip(reason);
    await compare(file, runScript);
  });

  describe("plain programs that open qemu:///system", () => {
    test.for(programs)("%s", { timeout: SCRIPT_TIMEOUT_MS }, async (file, context) => {
      if (reason !== undefined) context.skip(reason);
      await compare(file, runProgram);
    });
  });

  test("every wanted difference is one that shows", (context) => {
    if (reason !== undefined) context.skip(reason);
    const ran = verdicts.scripts === scripts.length + programs.length;
    if (!ran) context.skip("not all scripts ran");
    expect(verdicts.unused).toEqual([]);
  });
});

async function compare(file: string, run: (side: Side, file: string) => Promise<Step[]>): Promise<void> {
  const path = join(import.meta.dirname, file);
  const [original, mine] = await Promise.all(sides.map(async (side) => normaliseSteps(side, await run(side, path))));
  let alike = false;
  try {
    if (!original || !mine) throw new Error("a side has no steps");
    judge(basename(file), original, mine);
    alike = true;
  } finally {
    await Promise.all(sides.map((side) => resetSide(side, !alike)));
  }
}

function judge(script: string, original: readonly Step[], mine: readonly Step[]): void {
  if (print) console.log(original.map((step) => `${step.label}\n    ${JSON.stringify(step.outcome)}`).join("\n"));
  const unexpected = verdicts.judge(script, original, mine);
  const end = original.find((step) => step.label === "(end)");
  expect(end, `the script fails on libvirtd itself: ${JSON.stringify(end)}`).toBeUndefined();
  expect(original.length, "the script has steps").toBeGreaterThan(0);
  expect(unexpected.map(describeDifference).join("\n\n")).toBe("");
}

/** Leaves nothing of a script behind for the next; a daemon that keeps something begins anew with empty directories. */
async function resetSide(side: Side, suspect: boolean): Promise<void> {
  const left = await cleanSide(side).catch(String);
  if (left === "" && !suspect) return;
  await side.daemon.stop();
  await forget(side);
  await side.daemon.start();
}

async function filesIn(folder: string, pattern: RegExp): Promise<string[]> {
  const names = await readdir(fileURLToPath(new URL(folder, import.meta.url)));
  return names
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => `${folder}/${name}`);
}
