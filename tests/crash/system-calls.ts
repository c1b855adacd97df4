import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** Calls that can change storage, and those that show which thread belongs to whom. */
const CHANGES = [
  ...["openat", "open", "creat", "write", "writev", "pwrite64", "pwritev", "pwritev2", "truncate", "ftruncate"],
  ...["fallocate", "fsync", "fdatasync", "sync_file_range", "syncfs", "rename", "renameat", "renameat2", "link"],
  ...["linkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "symlink", "symlinkat", "mknodat", "chown"],
  ...["fchown", "lchown", "fchownat", "chmod", "fchmod", "fchmodat", "setxattr", "lsetxattr", "fsetxattr"],
  ...["removexattr", "lremovexattr", "fremovexattr", "copy_file_range", "sendfile", "splice", "ioctl", "utimensat"],
];
const ATTACH_MS = 10_000;
const DETACH_MS = 10_000;

/** One call as it was entered, in the order of the trace. */
export interface TracedCall {
  readonly thread: number;
  readonly name: string;
  /** Its how-manieth call of this name the thread entered, from 1: what `when=` counts, which goes by thread. */
  readonly ordinal: number;
  readonly line: string;
}

/** strace at a running process and what it starts from now on. */
export class Tracing {
  readonly #strace: ChildProcess;
  readonly #file: string;

  private constructor(strace: ChildProcess, file: string) {
    this.#strace = strace;
    this.#file = file;
  }

  /**
   * -f: all threads, and children (without it the one thread); -y: the paths behind descriptors; -s: enough of a name.
   * `injection` is the text after "inject=", for example "ftruncate:signal=KILL:when=2".
   */
  static async attach(id: number, file: string, what: "all" | "thread", injection?: string): Promise<Tracing> {
    const follow = what === "all" ? ["-f"] : [];
    const inject = injection === undefined ? [] : ["-e", `inject=${injection}`];
    const args = [...follow, "-y", "-s", "48", "-e", `trace=${CHANGES.join(",")}`, ...inject, "-o", file];
    const strace = spawn("strace", [...args, "-p", String(id)], { stdio: ["ignore", "ignore", "pipe"] });
    let words = "";
    strace.stderr?.on("data", (text) => {
      words += String(text);
    });
    const deadline = Date.now() + ATTACH_MS;
    // "strace: Process 4711 attached with 12 threads"
    while (!/attached/.test(words)) {
      if (strace.exitCode !== null || Date.now() > deadline) throw new Error(`strace did not attach: ${words}`);
      await sleep(5);
    }
    return new Tracing(strace, file);
  }

  /** Leaves the process alone again. */
  async detach(): Promise<void> {
    if (this.#strace.exitCode !== null || this.#strace.signalCode !== null) return;
    const ended = once(this.#strace, "exit");
    const timer = setTimeout(() => this.#strace.kill("SIGKILL"), DETACH_MS);
    this.#strace.kill("SIGTERM");
    await ended;
    clearTimeout(timer);
  }

  async calls(): Promise<TracedCall[]> {
    return parseTrace(await readFile(this.#file, "utf8"));
  }

  /** The call during which the traced process was killed: one that never returned. */
  async unfinishedCall(): Promise<string | null> {
    const text = await readFile(this.#file, "utf8");
    const open = new Map<string, string>();
    for (const line of text.split("\n")) {
      const [, thread = "", rest = ""] = /^(?:(\d+) +)?(.*)$/.exec(line) ?? [];
      if (/^\w+\(.*(\) += \?|<unfinished \.\.\.>) *$/.test(rest)) open.set(thread, rest);
      else if (/^<\.\.\. \w+ resumed>/.test(rest) && !/= \?$/.test(rest)) open.delete(thread);
    }
    return [...open.values()].at(-1) ?? null;
  }
}

/**
 *   4711 ftruncate(23</pool/v>, 4194304) = 0
 *   4711 pwrite64(23</pool/v>, ""..., 65536, 0 <unfinished ...>
 *   4711 <... pwrite64 resumed>) = 65536
 */
export function parseTrace(text: string): TracedCall[] {
  const counts = new Map<string, number>();
  return text.split("\n").flatMap((line) => {
    const [, thread, name] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
    if (thread === undefined || name === undefined) return [];
    const key = `${thread} ${name}`;
    const ordinal = (counts.get(key) ?? 0) + 1;
    counts.set(key, ordinal);
    return [{ thread: Number(thread), name, ordinal, line: line.replace(/^\d+ +/, "") }];
  });
}

/** Opening without O_CREAT, O_TMPFILE or O_TRUNC changes nothing, nor does a control call other than a clone. */
export function isStorageChange(line: string): boolean {
  if (/^open/.test(line)) return /O_CREAT|O_TMPFILE|O_TRUNC/.test(line);
  if (line.startsWith("ioctl(")) return /FICLONE|FS_IOC_SETFLAGS|BLKDISCARD|BLKZEROOUT/.test(line);
  return true;
}

/** What is the same from run to run: numbers of descriptors, inodes and temporary names are not. */
export function shapeOf(line: string): string {
  return line
    .replace(/ <unfinished \.\.\.>$/, "")
    .replace(/\) += .*$/, "")
    .replace(/"(\\.|[^"\\])*"\.\.\./g, '"…"')
    .replace(/\.cistern-[0-9a-f]+/g, ".cistern-#")
    .replace(/-[A-Za-z0-9]{6}\b/g, "-#")
    .replace(/\d+/g, "#")
    .replace(/\)$/, "");
}

/** The threads of a process that lives. */
export function threadsOf(pid: number): ReadonlySet<number> {
  return new Set(readdirSync(`/proc/${pid}/task`).map(Number));
}
