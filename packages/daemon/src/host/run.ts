import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { anyOf, type CancelSignal, pause } from "../cancel-signal.js";
import { hostLimits } from "../limits.js";
import { type CommandLine, commandLine, type PreparedArgument } from "./command-line.js";
import { hostError, hostErrorFrom, hostErrorOfErrno } from "./errors.js";
import type { CommandResult, Identity, RunOptions } from "./host.js";
import { textOfBytes } from "./names.js";
import { MARKER_VARIABLE, startTimeOf } from "./orphans.js";
import { findProgram } from "./programs.js";

export interface PreparedCommand {
  readonly program: string;
  readonly args: readonly PreparedArgument[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly leavesRunning?: boolean;
}

export interface RunSurroundings {
  readonly temporaryDirectory: string;
  /** A command that shows no life for so long is killed. */
  readonly inactivityMs: number;
  /** Added to the program's. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Told the process group, for somebody who must kill it when this process cannot. */
  readonly started?: (processGroup: number) => void;
  /** As whom the program runs, with root's power over local files; absent: as this process. */
  readonly identity?: Identity;
}

/**
 * Runs a program to its end: stdin empty, messages in English, its own process group. Whatever the exit status, the result
 * is returned; HostError only where it could not be started (ENOENT, EACCES, …), was given up (ECANCELED), outlived its
 * `timeoutMs`, or stood still (both ETIMEDOUT).
 */
export async function runCommand(
  command: PreparedCommand,
  options: RunOptions | undefined,
  surroundings: RunSurroundings,
): Promise<CommandResult> {
  const program = await findProgram(command.program);
  const line = await commandLine(program, command.args, surroundings.temporaryDirectory);
  try {
    return await runLine(line, environmentOf(command, surroundings), options ?? {}, surroundings);
  } finally {
    await line.dispose();
  }
}

function environmentOf({ environment, leavesRunning }: PreparedCommand, surroundings: RunSurroundings) {
  const all: Record<string, string | undefined> = { ...process.env, ...surroundings.environment, LC_ALL: "C" };
  // By its marker, what it leaves running would be taken for an orphan.
  if (leavesRunning === true) delete all[MARKER_VARIABLE];
  return { ...all, ...environment };
}

async function runLine(
  line: CommandLine,
  environment: Readonly<Record<string, string | undefined>>,
  options: RunOptions,
  surroundings: RunSurroundings,
): Promise<CommandResult> {
  if (options.signal?.aborted) throw hostError("ECANCELED", `"${line.line}" was given up`, options.signal.reason);
  const guarded = await guard(surroundings.identity);
  const [program = line.program, ...args] = [...guarded, line.program, ...line.args];
  const child = spawn(program, args, {
    cwd: "/",
    env: environment,
    detached: true,
    stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe", ...line.inherited],
  });
  await started(child, line.line);
  if (child.pid !== undefined) surroundings.started?.(child.pid);
  const ended = exited(child);
  const announced = announce(child, options.started);
  const limit = options.outputLimitBytes ?? hostLimits.commandOutputBytes;
  const stdout = collect(child.stdout, limit, options.output);
  const stderr = collect(child.stderr, limit);
  if (options.input !== undefined && child.stdin !== null) {
    // A program need not read all it is given.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input);
  }
  const watch = new AbortController();
  try {
    const { exitStatus, signal } = await Promise.race([
      ended,
      givenUp(child, line.line, options, surroundings, watch.signal),
    ]);
    await Promise.race([
      Promise.all([stdout.closed, stderr.closed]),
      delay(hostLimits.commandLingerMs, undefined, { signal: watch.signal }).catch(() => undefined),
    ]);
    await announced;
    return {
      line: line.line,
      exitStatus,
      signal,
      stdout: line.restore(stdout.text()),
      stderr: line.restore(stderr.text()),
    };
  } catch (failure) {
    await kill(child, ended);
    throw failure;
  } finally {
    watch.abort();
    child.stdout?.destroy();
    child.stderr?.destroy();
    child.stdin?.destroy();
    child.unref();
  }
}

let guardPath: Promise<string | null> | null = null;

/**
 * What is put before a command so that the kernel kills it when this process dies, however it dies (PR_SET_PDEATHSIG, which
 * stays over exec). setpriv (util-linux) becomes the program, so that nothing else is seen of it; without it, nothing is.
 */
async function guard(identity: Identity | undefined): Promise<readonly string[]> {
  const path = await findGuard();
  if (path === null) return [];
  return [path, ...(identity === undefined ? [] : becoming(identity)), "--pdeathsig", "KILL", "--"];
}

/** null: there is no setpriv. */
export function findGuard(): Promise<string | null> {
  guardPath ??= findProgram("setpriv").catch(() => null);
  return guardPath;
}

/**
 * The program is the user in every respect, but may open what on this machine only root may: passphrases and images of
 * other pools are handed to it. A server does not see that, and the user cannot look into it.
 */
function becoming({ owner, group }: Identity): readonly string[] {
  const powers = "-all,+dac_override,+dac_read_search";
  const ids = ["--reuid", `${owner}`, "--regid", `${group}`, "--keep-groups"];
  return [...ids, "--inh-caps", powers, "--ambient-caps", powers];
}

/** One that has ended by now needs no announcement. */
async function announce({ pid }: ChildProcess, started: RunOptions["started"]): Promise<void> {
  if (started === undefined || pid === undefined) return;
  const startTime = await startTimeOf(pid);
  if (startTime !== null) started({ pid, startTime });
}

async function started(child: ChildProcess, line: string): Promise<void> {
  try {
    await once(child, "spawn");
  } catch (failure) {
    throw hostErrorOfErrno(hostErrorFrom(failure).errno, `"${line}" cannot be started`);
  }
}

function exited(child: ChildProcess): Promise<{ readonly exitStatus: number | null; readonly signal: string | null }> {
  return new Promise((resolve) => {
    child.once("exit", (exitStatus, signal) => resolve({ exitStatus, signal }));
    // Failing to signal it (it has just ended) is reported here too, and is no news.
    child.on("error", () => undefined);
  });
}

/** Rejects when the command has to be ended: its caller says so, its time is over, or it stands still. */
async function givenUp(...command: Parameters<typeof watched>): Promise<never> {
  await watched(...command);
  // Nobody waits for this promise any more.
  return new Promise<never>(() => undefined);
}

/** Until it is `over`. */
async function watched(
  child: ChildProcess,
  line: string,
  options: RunOptions,
  surroundings: RunSurroundings,
  over: CancelSignal,
): Promise<void> {
  const start = performance.now();
  let lastLife = start;
  let lastWork = "";
  using either = anyOf(over, ...(options.signal === undefined ? [] : [options.signal]));
  for (;;) {
    const now = performance.now();
    const untilTimeout = options.timeoutMs === undefined ? Number.POSITIVE_INFINITY : start + options.timeoutMs - now;
    if (untilTimeout <= 0) throw hostError("ETIMEDOUT", `"${line}" did not end within ${options.timeoutMs} ms`);
    const untilInactive = lastLife + surroundings.inactivityMs - now;
    if (untilInactive <= 0) throw hostError("ETIMEDOUT", `"${line}" stood still for ${surroundings.inactivityMs} ms`);
    const wait = Math.max(1, Math.min(untilTimeout, untilInactive, hostLimits.commandSampleMs));
    await pause(wait, either.signal, { ref: false });
    if (options.signal?.aborted) throw hostError("ECANCELED", `"${line}" was given up`, options.signal.reason);
    if (over.aborted) return;
    const work = await workOf(child.pid ?? 0);
    if (work !== lastWork) {
      lastWork = work;
      lastLife = performance.now();
    }
  }
}

/** The processor time used so far, as text. /proc/PID/stat: "pid (name) state ppid … utime stime …", fields 14 and 15. */
async function workOf(pid: number): Promise<string> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")")).split(" ").slice(12, 16).join(" ");
  } catch {
    return "ended";
  }
}

/** Ends the whole process group: asked first, then made to. One that sits in the kernel is left behind. */
async function kill(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    killGroup(child.pid, signal);
    const over = new AbortController();
    const late = delay(hostLimits.commandKillMs, "late", { signal: over.signal }).catch(() => "over");
    const outcome = await Promise.race([ended, late]);
    over.abort();
    if (outcome !== "late") break;
  }
  // What the program itself had started.
  killGroup(child.pid, "SIGKILL");
}

export function killGroup(processGroup: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (processGroup !== undefined && processGroup > 1) process.kill(-processGroup, signal);
  } catch {
    // Already gone.
  }
}

interface Collected {
  readonly closed: Promise<void>;
  text(): string;
}

/** Keeps the first `limitBytes` and reads on, so that the program never waits for its reader. */
function collect(stream: Readable | null, limitBytes: number, tell?: (text: string) => void): Collected {
  const chunks: Buffer[] = [];
  let length = 0;
  stream?.on("data", (chunk: Buffer) => {
    const kept = chunk.subarray(0, limitBytes - length);
    if (kept.length > 0) chunks.push(kept);
    length += kept.length;
    tell?.(textOfBytes(chunk));
  });
  stream?.on("error", () => undefined);
  return {
    closed: stream === null ? Promise.resolve() : new Promise((resolve) => stream.once("close", resolve)),
    text: () => textOfBytes(Buffer.concat(chunks, length)),
  };
}
