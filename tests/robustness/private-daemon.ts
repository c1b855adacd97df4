import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Connection, connect } from "@cistern/client";

const EXECUTABLE = fileURLToPath(new URL("../../packages/daemon/bin/cisternd.js", import.meta.url));
const READY_MS = 20_000;
const STOP_MS = 30_000;

/** `cisternd --root` in a temporary directory, with what these tests ask of it. Ends, and is removed, with `close`. */
export class PrivateDaemon {
  readonly root: string;
  readonly #child: ChildProcess;
  readonly #connections: Connection[] = [];
  readonly #log: () => string;

  private constructor(root: string, child: ChildProcess, log: () => string) {
    this.root = root;
    this.#child = child;
    this.#log = log;
  }

  static async start(configuration = ""): Promise<PrivateDaemon> {
    const root = await mkdtemp(join(tmpdir(), "cistern-robust-"));
    await mkdir(join(root, "etc"));
    await writeFile(join(root, "etc/cisternd.toml"), configuration);
    const child = spawn(process.execPath, [EXECUTABLE, "--root", root], { stdio: ["ignore", "ignore", "pipe"] });
    let log = "";
    child.stderr?.on("data", (text) => {
      log = (log + String(text)).slice(-20_000);
    });
    const daemon = new PrivateDaemon(root, child, () => log);
    const deadline = Date.now() + READY_MS;
    while (!log.includes("cisternd is ready")) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`cisternd did not start: ${log}`);
      await sleep(20);
    }
    return daemon;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }
  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }
  get socket(): string {
    return join(this.root, "run/libvirt-sock");
  }

  async connect(): Promise<Connection> {
    const connection = await connect(`storage+unix:///system?socket=${this.socket}`);
    this.#connections.push(connection);
    return connection;
  }

  get readOnlySocket(): string {
    return `${this.socket}-ro`;
  }

  /** Memory in use now, and the most since the start (or since `forgetPeak`). */
  async memory(): Promise<{ readonly nowBytes: number; readonly peakBytes: number }> {
    const status = await readFile(`/proc/${this.pid}/status`, "utf8");
    const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1024;
    return { nowBytes: field("VmRSS"), peakBytes: field("VmHWM") };
  }
  async forgetPeak(): Promise<void> {
    await writeFile(`/proc/${this.pid}/clear_refs`, "5");
  }

  /** What the daemon holds open, as /proc shows it ("/path", "socket:[…]"). */
  async descriptors(): Promise<string[]> {
    const directory = `/proc/${this.pid}/fd`;
    const names = await readdir(directory);
    const targets = await Promise.all(names.map((name) => readlink(join(directory, name)).catch(() => null)));
    return targets
      .filter((target) => target !== null)
      .filter((target) => !OF_THREADS.test(target))
      .sort();
  }

  /** What the daemon has said on stderr, its last part. */
  get log(): string {
    return this.#log();
  }

  /** The exported numbers, as they are now. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const file = join(this.root, "run/metrics.prom");
    await rm(file, { force: true });
    this.#child.kill("SIGUSR2");
    const deadline = Date.now() + READY_MS;
    for (;;) {
      const text = await readFile(file, "utf8").catch(() => null);
      if (text !== null) return new Map(text.split("\n").flatMap(metricOf));
      if (Date.now() > deadline) throw new Error("the daemon wrote no metrics");
      await sleep(20);
    }
  }

  /** Begins a new measurement: the exported maxima are of what follows. */
  async resetMetrics(): Promise<void> {
    await this.metrics();
  }

  /** SIGTERM; the exit status, or null when the daemon had to be killed. */
  async stop(): Promise<number | null> {
    await Promise.allSettled(this.#connections.splice(0).map((connection) => connection.close()));
    if (!this.running) return this.#child.exitCode;
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS);
    this.#child.kill("SIGTERM");
    await once(this.#child, "exit");
    clearTimeout(timer);
    return this.#child.exitCode;
  }

  async close(): Promise<void> {
    await this.stop();
    await rm(this.root, { recursive: true, force: true });
  }
}

/** What each thread's event loop has. Threads start when there is work and stay. */
const OF_THREADS = /^(?:anon_inode:\[(?:eventfd|eventpoll)\]|pipe:)/;

function metricOf(line: string): [string, number][] {
  const [name, value] = line.split(" ");
  return line.startsWith("#") || name === undefined || value === undefined ? [] : [[name, Number(value)]];
}
