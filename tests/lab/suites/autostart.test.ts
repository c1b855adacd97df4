import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "@cistern/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RootedDaemon } from "../../support/rooted-daemon.js";
import { startNfsServer } from "../guest/nfs.js";
import { startUdev } from "../guest/udev.js";

const ROOT = "/run/lab/autostart";
const TARGET = "/srv/late";
/** So long after the daemon the server comes: a storage machine that boots together with its clients. */
const SERVER_LATE_MS = 60_000;
/** Longer than the longest pause, and than an attempt that the server's coming finds under way. */
const PATIENCE_MS = 240_000;

describe("a pool with autostart whose NFS server comes a minute after the daemon", () => {
  let daemon: RootedDaemon;
  let connection: Connection;

  beforeAll(async () => {
    startUdev();
    mkdirSync(ROOT, { recursive: true });
    mkdirSync(TARGET, { recursive: true });
    daemon = await RootedDaemon.prepare(ROOT, "autostart_retry_seconds = 20\n");
    await daemon.start();
    connection = await daemon.connect();
    const pool = await connection.definePool(
      `<pool type='netfs'><name>late</name><source><host name='127.0.0.1'/><dir path='/images'/></source>` +
        `<target><path>${TARGET}</path></target></pool>`,
    );
    await pool.setAutostart(true);
    await daemon.stop();
    // A boot empties /run.
    rmSync(join(ROOT, "run"), { recursive: true });
  });
  afterAll(async () => {
    const pool = await connection?.lookupPool("late");
    if (await pool?.isActive()) await pool?.stop();
    await daemon?.stop();
  });

  it("says why it does not run and when it is tried again, and runs once the server is there", {
    timeout: 400_000,
  }, async () => {
    const startedMs = Date.now();
    await daemon.start();
    connection = await daemon.connect();
    const pool = await connection.lookupPool("late");
    const failure = await until("the first failure", async () => (await connection.autostartFailure(pool)) ?? false);
    expect(failure.error.message).toContain("mount");
    expect(failure.attempts).toBeGreaterThanOrEqual(1);
    expect(await pool.isActive()).toBe(false);

    await sleep(Math.max(0, startedMs + SERVER_LATE_MS - Date.now()));
    expect(await pool.isActive()).toBe(false);
    const directoryOf = startNfsServer([{ path: "/images" }]);
    writeFileSync(join(directoryOf("/images"), "a.img"), "content");

    await until("the start of the pool", () => pool.isActive());
    expect((await pool.listVolumes()).map(({ name }) => name)).toEqual(["a.img"]);
    expect(await connection.autostartFailure(pool)).toBeNull();
    expect(daemon.log).toMatch(/pool 'late' was started at attempt \d+/);
  });
});

async function until<T>(what: string, ask: () => Promise<T | false>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== false) return answer;
    if (Date.now() > deadline) throw new Error(`${what} did not come about`);
    await sleep(500);
  }
}
