import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Why no file system can be made to hang here; null when one can. */
export const cannotHang = ((): string | null => {
  if (process.getuid?.() !== 0) return "mounting a FUSE file system needs root";
  try {
    execFileSync("bindfs", ["--version"], { stdio: "ignore" });
    return null;
  } catch {
    return "needs bindfs (apt-get install bindfs)";
  }
})();

/** A FUSE file system that stops answering when its process is stopped. */
export class HangingMount {
  readonly path: string;
  readonly #directory: string;
  readonly #process: ChildProcess;

  private constructor(directory: string, path: string, child: ChildProcess) {
    this.#directory = directory;
    this.path = path;
    this.#process = child;
  }

  static async open(): Promise<HangingMount> {
    const directory = await mkdtemp(join(tmpdir(), "cistern-hang-"));
    const path = join(directory, "mounted");
    await mkdir(path);
    await mkdir(join(directory, "backing"));
    await writeFile(join(directory, "backing/one.img"), "one");
    const child = spawn("bindfs", ["-f", join(directory, "backing"), path], { stdio: "ignore" });
    for (let wait = 0; !(await readFile("/proc/self/mounts", "utf8")).includes(` ${path} fuse`); wait++) {
      if (wait > 200) throw new Error("bindfs did not mount");
      await sleep(25);
    }
    return new HangingMount(directory, path, child);
  }

  hang(): void {
    this.#process.kill("SIGSTOP");
  }
  answer(): void {
    this.#process.kill("SIGCONT");
  }

  async close(): Promise<void> {
    this.answer();
    execFileSync("umount", ["-l", this.path]);
    if (this.#process.exitCode === null) {
      const gone = once(this.#process, "exit");
      this.#process.kill("SIGKILL");
      await gone;
    }
    await rm(this.#directory, { recursive: true, force: true });
  }
}
