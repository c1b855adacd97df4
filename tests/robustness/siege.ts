import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection, Pool } from "@cistern/client";
import { expect } from "vitest";
import { RawClient } from "../wire/raw-client.js";
import { startedPool } from "./directory-pool.js";
import { PrivateDaemon } from "./private-daemon.js";

const MIB = 1024 * 1024;
const SETTLED_MS = 10_000;

/** A daemon under attack: clients that misbehave, and one that does not and must notice nothing. */
export class Siege {
  readonly daemon: PrivateDaemon;
  /** Of the client that behaves. */
  readonly normal: Connection;
  readonly pool: Pool;
  readonly #attackers: RawClient[] = [];
  readonly #descriptors: readonly string[];

  private constructor(daemon: PrivateDaemon, normal: Connection, pool: Pool, descriptors: readonly string[]) {
    this.daemon = daemon;
    this.normal = normal;
    this.pool = pool;
    this.#descriptors = descriptors;
  }

  static async lay(configuration = ""): Promise<Siege> {
    const daemon = await PrivateDaemon.start(configuration);
    try {
      const normal = await daemon.connect();
      const pool = await startedPool(normal, "calm", join(daemon.root, "calm"));
      return new Siege(daemon, normal, pool, await held(daemon));
    } catch (error) {
      await daemon.close();
      throw error;
    }
  }

  async attacker(): Promise<RawClient> {
    const client = await RawClient.open(this.daemon.socket);
    this.#attackers.push(client);
    return client;
  }
  adopt(clients: readonly RawClient[]): void {
    this.#attackers.push(...clients);
  }

  /** How long a call of the client that behaves takes now. */
  async answeredMs(): Promise<number> {
    const startedAt = performance.now();
    expect((await this.normal.lookupPool("calm")).name).toBe("calm");
    return performance.now() - startedAt;
  }

  /** How long the slowest of its calls takes while `attack` goes on. */
  async slowestMs(attack: Promise<unknown>): Promise<number> {
    let done = false;
    const ended = attack.finally(() => {
      done = true;
    });
    let slowest = 0;
    while (!done) {
      slowest = Math.max(slowest, await this.answeredMs());
      await sleep(20);
    }
    await ended;
    return slowest;
  }

  /** How much memory `attack` costs at its highest. */
  async costMiB(attack: () => Promise<unknown>): Promise<number> {
    await this.daemon.forgetPeak();
    const { nowBytes } = await this.daemon.memory();
    await attack();
    return Math.round(((await this.daemon.memory()).peakBytes - nowBytes) / MIB);
  }

  /** The attackers leave; the daemon must be as it was. */
  async lift(): Promise<void> {
    for (const client of this.#attackers.splice(0)) client.close();
    expect(this.daemon.running, this.daemon.log.slice(-2000)).toBe(true);
    const deadline = performance.now() + SETTLED_MS;
    for (;;) {
      const now = await held(this.daemon);
      if (performance.now() > deadline) expect(now).toEqual(this.#descriptors);
      if (now.join() === this.#descriptors.join()) return;
      await sleep(50);
    }
  }

  /** Ends the daemon, which must end cleanly. */
  async raise(): Promise<void> {
    const status = await this.daemon.stop();
    await this.daemon.close();
    expect(status).toBe(0);
  }
}

/** Waits until the daemon has closed the connection. */
export async function closed(client: RawClient): Promise<void> {
  while ((await client.next()) !== null);
}

/** What a daemon holds open, without the numbers of sockets and pipes, and without directories, of which it keeps some. */
async function held(daemon: PrivateDaemon): Promise<readonly string[]> {
  const targets = await daemon.descriptors();
  const kept = await Promise.all(
    targets.map(async (target) => {
      const facts = target.startsWith("/") ? await stat(target).catch(() => null) : null;
      return facts?.isDirectory() ? [] : [target.replace(/\[\d+\]/, "[]")];
    }),
  );
  return kept.flat().sort();
}
