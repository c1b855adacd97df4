import { once } from "node:events";
import { basename, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { Side } from "./side.js";

/** Also from where the lab is compiled to, which is as deep below the project. */
const LIBRARY = resolve(import.meta.dirname, "../../tests/compatibility/lib");
const PYTHON = "/usr/bin/python3";
const PERL = "/usr/bin/perl";
const SCRIPT_TIMEOUT_MS = 120_000;
const STDERR_LIMIT_CHARS = 20_000;
/** How long a daemon has for a reload: SIGHUP has no answer. */
const RELOAD_WAIT_MS = 1_500;

/** One step as a script printed it: its label and its outcome, still with the side's own paths and UUIDs. */
export interface Step {
  readonly label: string;
  readonly outcome: unknown;
}

/**
 * Runs a script against a side and collects its steps. An ending other than a good one becomes a last step "(end)", so
 * that it is compared like the others.
 */
export async function runScript(side: Side, file: string): Promise<Step[]> {
  const name = basename(file);
  const work = join(side.workPlace, name.replace(/\.\w+$/, ""));
  if (name.endsWith(".virsh")) return run(side, [PYTHON, join(LIBRARY, "virsh.py"), file], work);
  return run(side, [name.endsWith(".pl") ? PERL : PYTHON, file], work);
}

/** Runs one of the plain programs, that knows nothing of this harness: its lines are its steps. */
export async function runProgram(side: Side, file: string): Promise<Step[]> {
  const work = join(side.workPlace, `program-${basename(file).replace(/\.\w+$/, "")}`);
  return run(side, [PYTHON, file, work], work, (line) => ({ label: "(line)", outcome: line }));
}

/** Removes all pools and secrets of a side; what refused to go. */
export async function cleanSide(side: Side): Promise<string> {
  const steps = await run(side, [PYTHON, join(LIBRARY, "clean.py"), side.workPlace], side.workPlace, (line) => ({
    label: "left",
    outcome: line,
  }));
  return steps.map((step) => JSON.stringify(step.outcome)).join("\n");
}

async function run(
  side: Side,
  command: readonly string[],
  work: string,
  parse: (line: string) => Step | undefined = parseStep,
): Promise<Step[]> {
  const child = side.namespace.run("/bin/sh", ["-c", 'mkdir -p "$0" && cd "$0" && exec "$@"', work, ...command], {
    env: environment(side, work),
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = once(child, "close");
  const timer = setTimeout(() => child.kill("SIGKILL"), side.scriptTimeoutMs ?? SCRIPT_TIMEOUT_MS);
  let complaint = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    if (complaint.length < STDERR_LIMIT_CHARS) complaint += text;
  });
  child.stdin?.on("error", () => {});
  const steps: Step[] = [];
  if (child.stdout) {
    for await (const line of createInterface({ input: child.stdout })) {
      const request = daemonRequest(line);
      if (request === undefined) {
        const step = parse(line);
        if (step) steps.push(step);
        continue;
      }
      const answer = await obey(side, request);
      child.stdin?.write(`${answer}\n`);
    }
  }
  await ended;
  clearTimeout(timer);
  if (child.exitCode !== 0 || complaint !== "") {
    steps.push({ label: "(end)", outcome: { status: child.exitCode ?? child.signalCode, complaint } });
  }
  return steps;
}

function environment(side: Side, work: string): NodeJS.ProcessEnv {
  const uri = (socket: string) => `qemu+unix:///system?socket=${socket}`;
  return {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: work,
    LC_ALL: "C.UTF-8",
    PYTHONPATH: LIBRARY,
    PYTHONDONTWRITEBYTECODE: "1",
    COMPAT_WORK: work,
    COMPAT_URI: uri(side.socket),
    COMPAT_URI_RO: uri(side.socketReadOnly),
    COMPAT_ETC: join(side.root, "etc"),
    COMPAT_RUN: join(side.root, "run"),
    ...side.environment,
  };
}

function parseStep(line: string): Step | undefined {
  try {
    const { step, ...outcome } = JSON.parse(line) as { step: string };
    return { label: step, outcome };
  } catch {
    return { label: "(unreadable line)", outcome: line };
  }
}

function daemonRequest(line: string): string | undefined {
  return /^\{"daemon": "(\w+)"\}$/.exec(line)?.[1];
}

async function obey(side: Side, request: string): Promise<string> {
  try {
    switch (request) {
      case "restart":
        await side.daemon.stop();
        await side.daemon.start();
        return "done";
      case "stop":
        await side.daemon.stop();
        return "done";
      case "kill":
        await side.daemon.kill();
        return "done";
      case "start":
        await side.daemon.start();
        return "done";
      case "reload":
        side.daemon.reload();
        await sleep(RELOAD_WAIT_MS);
        return "done";
      default:
        return `unknown request ${request}`;
    }
  } catch (error) {
    return String(error).replaceAll("\n", " ");
  }
}
