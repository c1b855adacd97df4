// The host's part of a comparison: boots two guests that are prepared alike, one with libvirtd and one with cisternd, has each
// run the type's scripts, and holds what they answered against each other.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeDifference } from "../../compatibility/difference.js";
import { Judge } from "../../compatibility/judge.js";
import type { Step } from "../../compatibility/script-run.js";
import type { DaemonName } from "../../compatibility/side.js";
import type { Lane } from "../lanes/guest.js";
import { PROJECT } from "../lanes/job.js";
import { qemuLane } from "../lanes/qemu.js";
import { umlLane } from "../lanes/uml.js";
import { zfsLayer } from "../run-suite.js";
import { WANTED_DIFFERENCES } from "./wanted-differences.js";

/** COMPATIBILITY_OURS=libvirtd compares libvirtd with itself: that there is no difference then proves the harness. */
const ours: DaemonName = process.env["COMPATIBILITY_OURS"] === "libvirtd" ? "libvirtd" : "cisternd";
/** COMPATIBILITY_PRINT=1 prints what the original answered at each step. */
const print = process.env["COMPATIBILITY_PRINT"] !== undefined;
/** COMPARISON_SCRIPT=name runs only scripts whose names contain it. */
const only = process.env["COMPARISON_SCRIPT"] ?? "";
const SIDE = join(PROJECT, "dist/lab/comparison/side.js");

export interface TypeComparison {
  readonly lane: "uml" | "qemu";
  /** Time limit of each of the two guests. */
  readonly minutes: number;
  /** On the lane "qemu": with the modules of ZFS, which the machine's own root does not have. */
  readonly zfs?: boolean;
}

/** All scripts of comparison/<type>, one test for each. */
export function compareType(type: string, { lane, minutes, zfs = false }: TypeComparison): void {
  const scripts = scriptsOf(type).filter((name) => name.includes(only));
  const guests = lane === "qemu" ? qemuLane : umlLane;
  const verdicts = new Judge(
    ours === "cisternd" ? WANTED_DIFFERENCES.filter(({ script }) => script.startsWith(`${type}/`)) : [],
  );

  describe(`pools of type ${type}: libvirtd 9.0.0 and cisternd answer alike`, () => {
    let original: SideResult;
    let mine: SideResult;

    beforeAll(
      async () => {
        if (!existsSync(SIDE)) throw new Error("the lab is not compiled: npm run lab does it");
        const limit = { guests, timeLimitMs: minutes * 60_000, layers: zfs ? [zfsLayer() ?? ""] : [] };
        [original, mine] = await Promise.all([
          runSide(type, "libvirtd", scripts, limit),
          runSide(type, ours, scripts, limit),
        ]);
      },
      (minutes + 1) * 60_000,
    );

    test.each(scripts)("%s", (script) => {
      const [theirs, own] = [stepsOf(original, script), stepsOf(mine, script)];
      if (print) console.log(theirs.map((step) => `${step.label}\n    ${JSON.stringify(step.outcome)}`).join("\n"));
      const end = theirs.find(({ label }) => label === "(end)");
      expect(end, `the script fails on libvirtd itself: ${JSON.stringify(end)}`).toBeUndefined();
      expect(theirs.length, "the script has steps").toBeGreaterThan(0);
      expect(verdicts.judge(`${type}/${script}`, theirs, own).map(describeDifference).join("\n\n")).toBe("");
    });

    test("every wanted difference is one that shows", (context) => {
      context.skip(only !== "" || verdicts.scripts < scripts.length, "not all scripts ran");
      expect(verdicts.unused).toEqual([]);
    });

    afterAll(() => {
      const counts = `${verdicts.scripts} scripts, ${verdicts.steps} steps compared`;
      console.log(
        `comparison ${type}: ${counts}, ${verdicts.usedCount} wanted differences, ${verdicts.unwanted.length} unwanted`,
      );
    });
  });
}

interface GuestNeeds {
  readonly guests: Lane;
  readonly timeLimitMs: number;
  readonly layers: readonly string[];
}

interface SideResult {
  /** By the script's name. */
  readonly steps: ReadonlyMap<string, readonly Step[]>;
  /** What the guest said, for a script that has no steps. */
  readonly output: string;
}

async function runSide(
  type: string,
  daemon: DaemonName,
  scripts: readonly string[],
  { guests, timeLimitMs, layers }: GuestNeeds,
): Promise<SideResult> {
  const results = mkdtempSync(join(tmpdir(), "cistern-comparison-"));
  let output = "";
  const hear = (bytes: Buffer): void => {
    output += String(bytes);
  };
  try {
    const guest = await guests.boot({
      command: [process.execPath, SIDE, type, daemon, ...scripts],
      timeLimitMs,
      ...(layers.length === 0 ? {} : { layers }),
      results,
      onStdout: hear,
      onStderr: hear,
    });
    await guest.ended.catch((error: unknown) => {
      output += `\n${error}`;
    });
    const files = readdirSync(results).filter((name) => name.endsWith(".json"));
    const steps = files.map((name) => {
      const read = JSON.parse(readFileSync(join(results, name), "utf8")) as Step[];
      return [name.slice(0, -".json".length), read] as const;
    });
    return { steps: new Map(steps), output: `${daemon} in its guest:\n${output}` };
  } finally {
    rmSync(results, { recursive: true, force: true });
  }
}

function stepsOf({ steps, output }: SideResult, script: string): readonly Step[] {
  const found = steps.get(script);
  if (found === undefined) throw new Error(`the guest did not come to ${script}; ${output}`);
  return found;
}

function scriptsOf(type: string): string[] {
  return readdirSync(join(PROJECT, "tests/lab/comparison", type))
    .filter((name) => /\.(?:py|pl|virsh)$/.test(name))
    .sort();
}
