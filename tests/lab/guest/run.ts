// Programs run in a guest: fixtures change devices, modules and /etc, so they refuse to run anywhere else.

import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

const TIMEOUT_MS = 60_000;
const POLL_MS = 50;
const OUTPUT_BYTES = 64 * 1024 * 1024;

export interface RunOptions {
  readonly input?: string;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

export interface Outcome {
  /** 128 + signal number where a signal ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** @throws outside a guest */
export function requireGuest(): void {
  if (process.env["CISTERN_LAB_LANE"] === undefined) {
    throw new Error("A fixture of the lab changes the whole machine and runs in a guest alone: npm run lab -- <suite>");
  }
}

/**
 * Runs a program to its end; its stdout.
 *
 * @throws when its status is not 0, with the command, the status and what it wrote to stderr
 */
export function run(program: string, args: readonly string[] = [], options: RunOptions = {}): string {
  const outcome = attempt(program, args, options);
  if (outcome.status === 0) return outcome.stdout;
  const command = [program, ...args].join(" ");
  throw new Error(
    `"${command}" ended with status ${outcome.status}: ${outcome.stderr.trim() || outcome.stdout.trim()}`,
  );
}

/** The same where failing is an answer too. A program that is missing or too slow still throws. */
export function attempt(program: string, args: readonly string[] = [], options: RunOptions = {}): Outcome {
  requireGuest();
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const result: SpawnSyncReturns<string> = spawnSync(program, args, {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C.UTF-8", ...options.env },
    // Daemons keep what they are given: without these pipes' ends a program that forks would be waited for for ever.
    stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    ...(options.input === undefined ? {} : { input: options.input }),
    timeout: timeoutMs,
    killSignal: "SIGKILL",
    maxBuffer: OUTPUT_BYTES,
  });
  if (result.error !== undefined) {
    throw new Error(`"${[program, ...args].join(" ")}" did not end within ${timeoutMs} ms, or could not be started`, {
      cause: result.error,
    });
  }
  return { status: result.status ?? 128, stdout: result.stdout, stderr: result.stderr };
}

/**
 * Runs a program that goes into the background by itself and keeps its output open: what it says is dropped.
 *
 * @throws when its first process does not end with status 0
 */
export function runDaemon(program: string, args: readonly string[] = []): void {
  requireGuest();
  const { status, signal, error } = spawnSync(program, args, {
    stdio: "ignore",
    timeout: TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  if (status === 0) return;
  const why = error?.message ?? (signal === null ? `status ${status}` : `signal ${signal}`);
  throw new Error(`"${[program, ...args].join(" ")}" did not go into the background: ${why}`, { cause: error });
}

/**
 * Asks until the answer is something else than undefined or false.
 *
 * @param what completes the sentence "… did not happen"
 * @throws when the time is over
 */
export async function waitFor<Value>(
  what: string,
  ask: () => Value | undefined | false,
  timeoutMs = 30_000,
): Promise<Value> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${timeoutMs} ms`);
    await sleep(POLL_MS);
  }
}
