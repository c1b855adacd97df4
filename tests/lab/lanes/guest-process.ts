import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { type Guest, GuestError, type GuestOptions } from "./guest.js";
import type { Job } from "./job.js";

/** Time that a killed process group may take to be gone. */
const KILL_TIMEOUT_MS = 10_000;

/**
 * Watches the program that runs a guest until it has ended, and takes away what belonged to it.
 *
 * @param child leader of a process group of its own
 * @param cleanUp what else is to be ended; runs once, whatever happened
 */
export function watchGuest(child: ChildProcess, job: Job, options: GuestOptions, cleanUp: () => Promise<void>): Guest {
  let killed = false;
  let late = false;
  // "close" comes after the last byte of output; "error" stands for a program that could not be started.
  const gone = new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", () => resolve(undefined));
  });
  const timer = setTimeout(() => {
    late = true;
    killGroup(child);
  }, options.timeLimitMs);

  const ended = gone.then(async (failure) => {
    clearTimeout(timer);
    try {
      await cleanUp();
      if (options.results !== undefined) job.copyResults(options.results);
      if (killed) return { status: null };
      const status = job.status();
      if (failure !== undefined) throw new GuestError("not-started", `The guest could not be started: ${failure}.`);
      if (status === undefined || Number.isNaN(status)) throw deathOf(job, options, late);
      return { status };
    } finally {
      // The kernel's helper processes end a moment after their leader, or are ended here.
      killGroup(child);
      job.remove();
    }
  });
  // Whoever wants to know awaits it; a guest that nobody asks about is no unhandled rejection.
  ended.catch(() => {});
  return {
    ended,
    async kill() {
      killed = true;
      killGroup(child);
      const deadline = new Promise<never>((_, reject) => {
        setTimeout(
          () => reject(new GuestError("died", `The guest's process ${child.pid} is still there after SIGKILL.`)),
          KILL_TIMEOUT_MS,
        ).unref();
      });
      await Promise.race([ended.catch(() => {}), deadline]);
    },
  };
}

function deathOf(job: Job, options: GuestOptions, late: boolean): GuestError {
  const what = options.command.join(" ");
  return late
    ? new GuestError(
        "time-limit",
        `The guest that ran "${what}" was ended after its time limit of ${options.timeLimitMs} ms.\n${job.lastWords()}`,
      )
    : new GuestError("died", `The guest died while it ran "${what}", without a status.\n${job.lastWords()}`);
}

/** Ends a group at once. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // The group has ended by itself.
  }
}

/** Ends one process at once and waits until it is gone. */
export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}
