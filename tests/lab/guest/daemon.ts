import { execFile } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import type { Connection } from "@cistern/client";
import { RootedDaemon } from "../../support/rooted-daemon.js";
import { requireGuest } from "./run.js";

/** Longer than any login that is given up. */
const PATIENCE_MS = 170_000;

export interface Ended {
  /** -1: it was killed. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A cisternd in the guest, and libvirt's own client, which knows nothing of it. */
export class LabDaemon {
  readonly daemon: RootedDaemon;
  #connection: Connection | null = null;

  private constructor(daemon: RootedDaemon) {
    this.daemon = daemon;
  }

  /** `environment`: added to the daemon's. */
  static async start(environment: NodeJS.ProcessEnv = {}): Promise<LabDaemon> {
    requireGuest();
    const daemon = await RootedDaemon.prepare(mkdtempSync("/tmp/cisternd-"), "", environment);
    await daemon.start();
    return new LabDaemon(daemon);
  }

  /** As a person would type it. */
  attempt(...args: readonly string[]): Promise<Ended> {
    const line = ["-c", `storage+unix:///system?socket=${this.daemon.socket}`, ...args];
    return new Promise((resolve) => {
      execFile("virsh", line, { timeout: PATIENCE_MS, killSignal: "SIGKILL" }, (error, stdout, stderr) => {
        const status = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ status, stdout, stderr });
      });
    });
  }

  /** The same for what has to succeed; what it says on stdout. */
  async virsh(...args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.attempt(...args);
    if (status === 0) return stdout;
    throw new Error(`virsh ${args.join(" ")} ended with ${status}: ${stderr}\n${this.daemon.log.slice(-4_000)}`);
  }

  /** What it says when it has to fail, without the client's own first sentence. */
  async refused(...args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.attempt(...args);
    if (status === 0) throw new Error(`virsh ${args.join(" ")} succeeded: ${stdout}`);
    return stderr.trim();
  }

  // Programs start slowly in a guest. What prepares a test, or looks at what came of it, asks by our own client.

  /** Names of the volumes of an active pool, in order. */
  async volumes(pool: string): Promise<string[]> {
    const volumes = await (await (await this.#client()).lookupPool(pool)).listVolumes();
    return volumes.map(({ name }) => name).sort();
  }

  /** Names of the active pools, in order. */
  async active(): Promise<string[]> {
    return (await (await this.#client()).listPools({ active: true })).map(({ name }) => name).sort();
  }

  /** Defines a pool in the place of an inactive one of the same name. */
  async define(name: string, document: string): Promise<void> {
    const client = await this.#client();
    const defined = (await client.listPools()).find((pool) => pool.name === name);
    await defined?.undefine();
    await client.definePool(document);
  }

  /** Stops and forgets all pools, so that a test that failed does not make others fail. */
  async clear(): Promise<void> {
    for (const pool of await (await this.#client()).listPools()) {
      if (await pool.isActive()) await pool.stop().catch(() => {});
      await pool.undefine().catch(() => {});
    }
  }

  async #client(): Promise<Connection> {
    this.#connection ??= await this.daemon.connect();
    return this.#connection;
  }

  async restart(): Promise<void> {
    this.#connection = null;
    await this.daemon.stop();
    await this.daemon.start();
  }

  /** A file in the daemon's own directory, for documents and content. */
  path(name: string): string {
    return join(this.daemon.root, name);
  }
}
