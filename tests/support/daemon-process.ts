import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { MountNamespace } from "./mount-namespace.js";
import { PATIENCE } from "./patience.js";

const READY_TIMEOUT_MS = 30_000 * PATIENCE;
const STOP_TIMEOUT_MS = 20_000 * PATIENCE;
const POLL_MS = 20;

export interface DaemonCommand {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** The daemon is ready when this unix socket accepts a connection. */
  readonly socket: string;
  /** Its stdout and stderr. */
  readonly logFile: string;
}

/** A daemon in a mount namespace that can be stopped and started again. Every wait has an end; only its own pid is signalled. */
export class DaemonProcess {
  readonly #command: DaemonCommand;
  readonly #namespace: MountNamespace;
  #child: ChildProcess | undefined;

  constructor(namespace: MountNamespace, command: DaemonCommand) {
    this.#namespace = namespace;
    this.#command = command;
  }

  async start(): Promise<void> {
    const child = this.#spawn();
    this.#child = child;
    const deadline = Date.now() + READY_TIMEOUT_MS;
    while (!(await accepts(this.#command.socket))) {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`${this.#command.name} ended with status ${child.exitCode}: ${await this.#lastWords()}`);
      }
      if (Date.now() > deadline) {
        await this.kill();
        throw new Error(`${this.#command.name} did not open ${this.#command.socket}: ${await this.#lastWords()}`);
      }
      await sleep(POLL_MS);
    }
  }

  /** Starts it expecting that it ends by itself; its exit status. */
  async startExpectingExit(): Promise<number | null> {
    const child = this.#spawn();
    this.#child = child;
    const timer = setTimeout(() => child.kill("SIGKILL"), READY_TIMEOUT_MS);
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    clearTimeout(timer);
    this.#child = undefined;
    return child.exitCode;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.#command.name} is not running`);
    return pid;
  }

  /** Ends it with SIGTERM and waits; its exit status, null when it had to be killed. */
  stop(): Promise<number | null> {
    return this.#end("SIGTERM");
  }

  kill(): Promise<number | null> {
    return this.#end("SIGKILL");
  }

  reload(): void {
    this.#child?.kill("SIGHUP");
  }

  #spawn(): ChildProcess {
    const log = openSync(this.#command.logFile, "a");
    try {
      return this.#namespace.run(this.#command.program, this.#command.args, {
        env: this.#command.env,
        stdio: ["ignore", log, log],
      });
    } finally {
      closeSync(log);
    }
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return null;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const ended = once(child, "exit");
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
    return child.exitCode;
  }

  async #lastWords(): Promise<string> {
    const text = await readFile(this.#command.logFile, "utf8").catch(() => "(no log)");
    return text.slice(-2_000);
  }
}

function accepts(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once("connect", () => {
      connection.destroy();
      resolve(true);
    });
    connection.once("error", () => resolve(false));
  });
}
