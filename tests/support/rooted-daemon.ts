import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Connection, connect } from "@cistern/client";
import { PATIENCE } from "./patience.js";

const EXECUTABLE = fileURLToPath(new URL("../../packages/daemon/bin/cisternd.js", import.meta.url));
const READY_MS = 30_000 * PATIENCE;
const STOP_MS = 30_000 * PATIENCE;
const LOG_BYTES = 200_000;

/** `cisternd --root` in a directory that outlives it: it can die and be started again on what it left. */
export class RootedDaemon {
  readonly root: string;
  readonly #environment: NodeJS.ProcessEnv;
  #child: ChildProcess | null = null;
  #connections: Connection[] = [];
  #log = "";

  constructor(root: string, environment: NodeJS.ProcessEnv = {}) {
    this.root = root;
    this.#environment = { ...process.env, ...environment };
  }

  static async prepare(root: string, configuration = "", environment: NodeJS.ProcessEnv = {}): Promise<RootedDaemon> {
    await mkdir(join(root, "etc"), { recursive: true });
    await writeFile(join(root, "etc/cisternd.toml"), configuration);
    return new RootedDaemon(root, environment);
  }

  get socket(): string {
    return join(this.root, "run/libvirt-sock");
  }
  get pid(): number {
    return this.#child?.pid ?? 0;
  }
  get running(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }
  /** What it said on stderr since its last start. */
  get log(): string {
    return this.#log;
  }

  /** Starts it and waits until it says that it is ready. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [EXECUTABLE, "--root", this.root], {
      stdio: ["ignore", "ignore", "pipe"],
      env: this.#environment,
    });
    this.#child = child;
    this.#log = "";
    child.stderr?.on("data", (text) => {
      this.#log = (this.#log + String(text)).slice(-LOG_BYTES);
    });
    const deadline = Date.now() + READY_MS;
    while (!this.#log.includes("cisternd is ready")) {
      if (!this.running) throw new Error(`cisternd did not start: ${this.#log}`);
      if (Date.now() > deadline) {
        await this.kill();
        throw new Error(`cisternd was not ready in ${READY_MS} ms: ${this.#log}`);
      }
      await sleep(5);
    }
  }

  async connect(): Promise<Connection> {
    const connection = await connect(`storage+unix:///system?socket=${this.socket}`);
    this.#connections.push(connection);
    return connection;
  }

  /** Waits until it has ended, at most so long; whether it has. */
  async ended(withinMs: number): Promise<boolean> {
    const deadline = Date.now() + withinMs;
    while (this.running && Date.now() < deadline) await sleep(5);
    return !this.running;
  }

  /** SIGTERM; the exit status, or null when it had to be killed or was dead before. */
  async stop(): Promise<number | null> {
    return this.#end("SIGTERM");
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const connections = this.#connections.splice(0);
    if (signal === "SIGTERM") await Promise.allSettled(connections.map((connection) => connection.close()));
    const child = this.#child;
    if (child !== null && this.running) {
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      const ended = once(child, "exit");
      child.kill(signal);
      await ended;
      clearTimeout(timer);
    }
    // A dead server's connections end by themselves; this only says so to whoever still waits.
    await Promise.allSettled(connections.map((connection) => connection.close()));
    return child?.exitCode ?? null;
  }
}

/** Every file (not directory) below `directory`, as paths relative to it, in order. */
export async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}
