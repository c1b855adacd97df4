import { readdir, readFile, stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { hostLimits } from "../limits.js";
import { withDeadline } from "./deadline.js";
import { textOfBytes } from "./names.js";
import * as native from "./native.js";

/** The variable by which everything that a daemon starts is known, whatever became of that daemon. */
export const MARKER_VARIABLE = "CISTERN_STATE";

export interface Orphans {
  /** What was ended, for people: `"qemu-img convert …" (process 123)`. */
  readonly killed: readonly string[];
  /** What sits in the kernel and did not vanish: it may still write wherever it was writing. */
  readonly stuck: readonly string[];
}

/** `startTime`: as `startTimeOf` gives it. */
interface Identified {
  readonly pid: number;
  readonly startTime: string;
}

interface Process extends Identified {
  readonly description: string;
}

/**
 * The marker of daemons whose journal is this directory. Its path alone would not do: /proc shows the programs of containers as
 * well, and there another directory may have the same path.
 */
export async function markerOf(directory: string): Promise<string> {
  const { dev, ino } = await stat(directory, { bigint: true });
  return `${directory} ${dev}:${ino}`;
}

/**
 * Ends what an earlier daemon with this marker started and left running. To be called by the holder of the daemon's lock
 * before it starts anything: then every process with the marker, save this one, is such an orphan.
 */
export async function killOrphans(marker: string): Promise<Orphans> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.filter((pid) => pid !== process.pid).map((pid) => marked(pid, marker)));
  const orphans = found.filter((orphan) => orphan !== null);
  await Promise.all(orphans.map(endProcess));
  const deadline = performance.now() + hostLimits.orphanKillMs;
  let left: readonly Process[] = orphans;
  for (;;) {
    const alive = await Promise.all(left.map(async ({ pid, startTime }) => (await startTimeOf(pid)) === startTime));
    left = left.filter((_, index) => alive[index]);
    if (left.length === 0 || performance.now() > deadline) break;
    await delay(hostLimits.orphanSampleMs);
  }
  const stuck = left;
  return {
    killed: orphans.filter((orphan) => !stuck.includes(orphan)).map(({ description }) => description),
    stuck: stuck.map(({ description }) => description),
  };
}

/** null: another's, or gone by now. */
async function marked(pid: number, marker: string): Promise<Process | null> {
  try {
    const startTime = await startTimeOf(pid);
    // A process that hangs in the kernel may keep its memory locked.
    const environment = await withDeadline(
      `Looking at process ${pid}`,
      readFile(`/proc/${pid}/environ`),
      hostLimits.orphanLookMs,
      undefined,
    );
    if (startTime === null || !textOfBytes(environment).split("\0").includes(`${MARKER_VARIABLE}=${marker}`))
      return null;
    const line = textOfBytes(await readFile(`/proc/${pid}/cmdline`))
      .split("\0")
      .join(" ")
      .trim();
    return { pid, startTime, description: `"${line.slice(0, hostLimits.orphanLineLength)}" (process ${pid})` };
  } catch {
    return null;
  }
}

/** Field 22 of /proc/PID/stat ("pid (name) state …"), by which a process is told from a later one with its number. null: gone. */
export async function startTimeOf(pid: number): Promise<string | null> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "latin1");
    const [, state, ...fields] = text.slice(text.lastIndexOf(")")).split(" ");
    return state === "Z" || state === "X" ? null : (fields[18] ?? null);
  } catch {
    return null;
  }
}

/** Ends this process, and not another one that has its number by now. */
export async function endProcess({ pid, startTime }: Identified): Promise<void> {
  const handle = native.openProcessSync(pid);
  try {
    // The handle is that of a process, whatever becomes of the number.
    if ((await startTimeOf(pid)) !== startTime) return;
    if (handle !== null) native.killProcessSync(handle);
    else process.kill(pid, "SIGKILL");
  } catch {
    // It has just ended.
  } finally {
    if (handle !== null) native.closeSync(handle);
  }
}
