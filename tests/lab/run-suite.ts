// One suite of the lab from its start to its result: in a guest of its own, or on the host.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missing } from "../support/requirements.js";
import { readFacts, report } from "./facts.js";
import type { Guest, Lane } from "./lanes/guest.js";
import { PROJECT } from "./lanes/job.js";
import { qemuLane } from "./lanes/qemu.js";
import { installedKernel } from "./lanes/qemu-kernel.js";
import { umlLane } from "./lanes/uml.js";
import { fileOf, type LabSuite, needsZfs } from "./suites.js";

const LANES: Readonly<Partial<Record<LabSuite["lane"], Lane>>> = { uml: umlLane, qemu: qemuLane };
const FACTS = "facts.jsonl";
const HANDED_ON = ["CI", "CISTERN_TEST_EFFORT"];

export interface SuiteResult {
  readonly suite: LabSuite;
  readonly verdict: "ok" | "failed" | "skipped";
}

/**
 * Runs it and tells CISTERN_TEST_RESULTS what was found; never rejects.
 *
 * @param show takes what it says
 * @param signal ends its guest at once
 */
export async function runSuite(
  suite: LabSuite,
  show: (bytes: Buffer | string) => void,
  signal: AbortSignal,
): Promise<SuiteResult> {
  const reason = unavailable(suite);
  if (reason !== null) {
    show(`skipped: ${reason}\n`);
    report([{ kind: "test", name: fileOf(suite), state: "skipped", reason }]);
    return { suite, verdict: "skipped" };
  }
  const results = mkdtempSync(join(tmpdir(), "cistern-lab-results-"));
  const startedMs = performance.now();
  try {
    const lane = LANES[suite.lane];
    const status =
      lane === undefined
        ? await onHost(suite, results, show, signal)
        : await inGuest(lane, suite, results, show, signal);
    const facts = readFacts(join(results, FACTS));
    const tests = facts.filter(({ kind }) => kind === "test");
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    const passed = tests.filter(({ state }) => state === "passed").length;
    const count = `lab ${suite.name}: ${passed} of ${tests.length} tests passed (${suite.lane}, ${seconds} s)`;
    report([...facts, { kind: "count", text: count }]);
    show(`${count}\n`);
    if (status === 0 && tests.length === 0) throw new Error("no test of it ran");
    return { suite, verdict: status === 0 ? "ok" : "failed" };
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    show(`${words}\n`);
    report([...readFacts(join(results, FACTS)), { kind: "broken", name: `${suite.name}: ${words.split("\n")[0]}` }]);
    return { suite, verdict: "failed" };
  } finally {
    rmSync(results, { recursive: true, force: true });
  }
}

function unavailable(suite: LabSuite): string | null {
  const reason = LANES[suite.lane]?.unavailable() ?? missing({ programs: suite.programs });
  if (reason !== null || !needsZfs(suite) || zfsLayer() !== undefined) return reason;
  return "needs ZFS for Debian's kernel, which npm run lab builds where its headers, gcc and make are installed";
}

/** What scripts/steps/zfs.mjs has built for the kernel of the lane "qemu", or undefined. */
export function zfsLayer(): string | undefined {
  const layer = join(PROJECT, ".lab", `zfs-${installedKernel()}`);
  return existsSync(layer) ? layer : undefined;
}

async function inGuest(
  lane: Lane,
  suite: LabSuite,
  results: string,
  show: (bytes: Buffer) => void,
  signal: AbortSignal,
): Promise<number> {
  const guest: Guest = await lane.boot({
    command: vitest(suite),
    environment: { ...environment(`/run/lab/job/results/${FACTS}`), ...handedOn() },
    timeLimitMs: suite.minutes * 60_000,
    ...(needsZfs(suite) ? { layers: [zfsLayer() ?? ""] } : {}),
    ...(suite.memoryMb === undefined ? {} : { memoryMb: suite.memoryMb }),
    results,
    onStdout: show,
    onStderr: show,
  });
  const kill = () => void guest.kill();
  signal.addEventListener("abort", kill);
  if (signal.aborted) kill();
  try {
    return (await guest.ended).status ?? 1;
  } finally {
    signal.removeEventListener("abort", kill);
  }
}

async function onHost(
  suite: LabSuite,
  results: string,
  show: (bytes: Buffer) => void,
  signal: AbortSignal,
): Promise<number> {
  const [program = "", ...args] = vitest(suite);
  const child = spawn(program, args, {
    cwd: PROJECT,
    stdio: ["ignore", "pipe", "pipe"],
    // Its temporary files lie in our own, so that they go even when it is ended by a signal.
    env: { ...process.env, ...environment(join(results, FACTS)), TMPDIR: results },
    timeout: suite.minutes * 60_000,
    signal,
  });
  child.stdout.on("data", show);
  child.stderr.on("data", show);
  await once(child, "close");
  if (child.exitCode === null) throw new Error(`it was ended by ${child.signalCode} within ${suite.minutes} minutes`);
  return child.exitCode;
}

function vitest(suite: LabSuite): readonly string[] {
  return [
    process.execPath,
    join(PROJECT, "node_modules/vitest/vitest.mjs"),
    ...["run", "--project", "lab"],
    // In a guest vitest.config.ts says which reporters.
    ...(suite.lane === "host"
      ? ["--reporter=default", `--reporter=${join(PROJECT, "tests/support/reporter.ts")}`]
      : []),
    fileOf(suite),
  ];
}

function environment(facts: string): Readonly<Record<string, string>> {
  return { CISTERN_TEST_RESULTS: facts, CISTERN_TEST_SUITE: "lab" };
}

function handedOn(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    HANDED_ON.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
