import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Requirements } from "./requirements.ts";

/** Debian packages bindfs and fuse3. */
export const fuseRequirements: Requirements = { root: true, programs: ["bindfs", "fusermount3"], paths: ["/dev/fuse"] };

/** A FUSE file system that shows another directory, and can be made to stop answering: its process is stopped. */
export interface FuseMount extends AsyncDisposable {
  readonly mountPoint: string;
  /** From now on, whoever asks it anything new sleeps in the kernel. */
  hang(): void;
  recover(): void;
  unmount(): Promise<void>;
}

/** Both directories must exist. Attributes and names are not cached, so that every call asks the process. */
export async function mountFuse(source: string, mountPoint: string): Promise<FuseMount> {
  const options = "attr_timeout=0,entry_timeout=0,negative_timeout=0";
  const bindfs = spawn("bindfs", ["-f", "-o", options, source, mountPoint], { stdio: "ignore" });
  const deadline = Date.now() + 10_000;
  while (!isMounted(mountPoint)) {
    if (bindfs.exitCode !== null || Date.now() > deadline) throw new Error(`bindfs did not mount "${mountPoint}"`);
    await delay(10);
  }
  let mounted = true;
  const unmount = async () => {
    if (!mounted) return;
    mounted = false;
    bindfs.kill("SIGCONT");
    execFileSync("fusermount3", ["-u", "-z", mountPoint]);
    await ended(bindfs);
  };
  return {
    mountPoint,
    hang: () => void bindfs.kill("SIGSTOP"),
    recover: () => void bindfs.kill("SIGCONT"),
    unmount,
    [Symbol.asyncDispose]: unmount,
  };
}

function isMounted(mountPoint: string): boolean {
  return readFileSync("/proc/self/mountinfo", "utf8").includes(` ${mountPoint} `);
}

async function ended(process: ChildProcess): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (process.exitCode === null && process.signalCode === null) {
    if (Date.now() > deadline) process.kill("SIGKILL");
    await delay(10);
  }
}
