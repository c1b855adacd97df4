import { execFile } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { type Connection, connect } from "@cistern/client";
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
    await using client = await this.#client();
    const volumes = await (await client.lookupPool(pool)).listVolumes();
    return volumes.map(({ name }) => name).sort();
  }

  /** Names of the active pools, in order. */
  async active(): Promise<string[]> {
    await using client = await this.#client();
    return (await client.listPools({ active: true })).map(({ name }) => name).sort();
  }

  /** Defines a pool in the place of an inactive one of the same name. */
  async define(name: string, document: string): Promise<void> {
    await using client = await this.#client();
    const defined = (await client.listPools()).find((pool) => pool.name === name);
    await defined?.undefine();
    await client.definePool(document);
  }

  /** Stops and forgets all pools, so that a test that failed does not make others fail. */
  async clear(): Promise<void> {
    await using client = await this.#client();
    for (const pool of await client.listPools()) {
      if (await pool.isActive()) await pool.stop().catch(() => {});
      await pool.undefine().catch(() => {});
    }
  }

  /** A new one each time: fixtures block the test's process for longer than the daemon keeps silent clients. */
  #client(): Promise<Connection> {
    return connect(`storage+unix:///system?socket=${this.daemon.socket}`);
  }

  async restart(): Promise<void> {
    await this.daemon.stop();
    await this.daemon.start();
  }

  /** A file in the daemon's own directory, for documents and content. */
  path(name: string): string {
    return join(this.daemon.root, name);
  }
}
