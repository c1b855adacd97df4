import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { PATIENCE } from "./patience.js";

/** One directory, file or file-system image that a namespace sees at a place of its own. */
export type NamespaceMount =
  | { readonly kind: "bind"; readonly from: string; readonly onto: string }
  | { readonly kind: "file"; readonly from: string; readonly onto: string }
  | { readonly kind: "image"; readonly image: string; readonly onto: string }
  | { readonly kind: "tmpfs"; readonly sizeBytes: bigint; readonly onto: string };

const OPEN_TIMEOUT_MS = 20_000 * PATIENCE;
const CLOSE_TIMEOUT_MS = 5_000 * PATIENCE;

/**
 * A mount namespace that lives as long as this object, or at the latest as long as this process: a shell holds it and
 * reads from a pipe, so it ends when the pipe's other end is gone, and its mounts go with it.
 *
 * The holder's children are ended by their starters; `run` asks the kernel to end them with this process too.
 */
export class MountNamespace {
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  static async open(mounts: readonly NamespaceMount[]): Promise<MountNamespace> {
    const script = ["set -e", ...mounts.map(mountCommand), "echo ready", "exec cat >/dev/null"].join("\n");
    const holder = spawn("unshare", ["--mount", "--propagation", "private", "sh", "-c", script], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    const namespace = new MountNamespace(holder);
    let complaint = "";
    holder.stderr?.setEncoding("utf8").on("data", (text: string) => {
      complaint += text;
    });
    const ready = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`mount namespace not ready: ${complaint}`)), OPEN_TIMEOUT_MS);
      holder.stdout?.once("data", () => {
        clearTimeout(timer);
        resolve();
      });
      holder.once("exit", (status) => {
        clearTimeout(timer);
        reject(new Error(`mount namespace ended with status ${status}: ${complaint}`));
      });
    });
    try {
      await ready;
    } catch (error) {
      await namespace.close();
      throw error;
    }
    return namespace;
  }

  /** Starts a program inside. It gets SIGTERM when this process ends before it. */
  run(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    const pid = this.#holder.pid;
    if (pid === undefined) throw new Error("the mount namespace is closed");
    const enter = [`--mount=/proc/${pid}/ns/mnt`, "--wd=/", "setpriv", "--pdeathsig", "TERM", program, ...args];
    return spawn("nsenter", enter, options);
  }

  async close(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
    const ended = once(this.#holder, "exit");
    this.#holder.stdin?.end();
    const timer = setTimeout(() => this.#holder.kill("SIGKILL"), CLOSE_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
  }
}

/** Why mount namespaces cannot be used here, or undefined when they can. */
export function mountNamespacesUnavailable(): string | undefined {
  if (process.getuid?.() !== 0) return "needs root for mount namespaces";
  for (const program of ["unshare", "nsenter", "setpriv"]) {
    if (!existsSync(`/usr/bin/${program}`)) return `needs ${program} (package util-linux)`;
  }
  const trial = spawnSync("unshare", ["--mount", "--propagation", "private", "true"], { timeout: OPEN_TIMEOUT_MS });
  return trial.status === 0 ? undefined : "needs mount namespaces, which this machine refuses";
}

/** Whether a file-system image can be mounted (loop devices are missing in many containers). */
export function loopDevicesAvailable(): boolean {
  return spawnSync("losetup", ["--find"], { timeout: OPEN_TIMEOUT_MS }).status === 0;
}

function mountCommand(mount: NamespaceMount): string {
  const onto = quote(mount.onto);
  switch (mount.kind) {
    case "bind":
      return `mkdir -p ${onto}; mount --bind ${quote(mount.from)} ${onto}`;
    case "file":
      return `mount --bind ${quote(mount.from)} ${onto}`;
    case "image":
      return `mkdir -p ${onto}; mount -o loop ${quote(mount.image)} ${onto}`;
    case "tmpfs":
      return `mkdir -p ${onto}; mount -t tmpfs -o size=${mount.sizeBytes} tmpfs ${onto}`;
  }
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
