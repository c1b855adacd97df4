import { execFile } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Connection } from "@cistern/client";
import { afterEach, beforeEach, expect, it } from "vitest";
import { RootedDaemon } from "../support/rooted-daemon.js";
import { eventually } from "./waiting.js";

const CISTERN = join(import.meta.dirname, "../../packages/cli/bin/cistern.js");

let root: string;
let daemon: RootedDaemon;
let connection: Connection;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "cistern-autostart-"));
  daemon = await RootedDaemon.prepare(root, "autostart_retry_seconds = 2\n");
  await daemon.start();
  connection = await daemon.connect();
  const xml = `<pool type='dir'><name>late</name><target><path>${root}/late</path></target></pool>`;
  await (await connection.definePool(xml)).setAutostart(true);
});
afterEach(async () => {
  await daemon.stop();
  await rm(root, { recursive: true, force: true });
});

/** As after a reboot, which empties /run. */
async function reboot(): Promise<void> {
  await daemon.stop();
  await rm(join(root, "run"), { recursive: true, force: true });
  await restart();
}

async function restart(): Promise<void> {
  await daemon.start();
  connection = await daemon.connect();
}

async function cistern(...args: string[]): Promise<string> {
  const uri = `storage+unix:///system?socket=${daemon.socket}`;
  return (await promisify(execFile)(process.execPath, [CISTERN, "-c", uri, ...args], { timeout: 60_000 })).stdout;
}

const reason = (): string => `cannot open directory '${root}/late': No such file or directory`;

it("a pool whose storage comes late is started then, by the same daemon; until then it says why not and when", async () => {
  await reboot();
  const pool = await connection.lookupPool("late");
  expect(await pool.isActive()).toBe(false);
  expect(await connection.autostartFailure(pool)).toMatchObject({
    error: { code: 38, message: reason() },
  });
  const shown = await cistern("pool-info", "late", "--details");
  expect(shown).toContain(`Not started:    ${reason()}\n`);
  expect(shown).toMatch(/^Attempts: {7}\d+, (?:the next in \d s|which is under way)$/m);
  const facts = JSON.parse(await cistern("--output", "json", "pool-info", "late"));
  expect(facts).toMatchObject({ state: "inactive", autostart: true, autostartFailure: { error: { code: 38 } } });
  expect(Date.parse(facts.autostartFailure.lastAttemptAt)).toBeGreaterThan(Date.now() - 60_000);
  expect(daemon.log).toContain("could not autostart pool 'late'");
  expect(daemon.log).toMatch(/pool 'late' is tried again in \d s/);

  const events = await connection.poolEvents();
  mkdirSync(join(root, "late"));
  writeFileSync(join(root, "late/a.img"), "content");
  await eventually("the pool runs", () => pool.isActive());
  expect((await events.next()).value).toMatchObject({ kind: "started", pool: { name: "late" } });
  expect((await pool.listVolumes()).map(({ name }) => name)).toEqual(["a.img"]);
  expect(await connection.autostartFailure(pool)).toBeNull();
  expect(await cistern("pool-info", "late", "--details")).not.toContain("Not started");
  expect(await cistern("jobs", "--all")).toMatch(/failed +start +late.*done +start +late/s);
});

it("a daemon that was killed meanwhile goes on trying, but not after pool-destroy", async () => {
  await reboot();
  await daemon.kill();
  await restart();
  const pool = await connection.lookupPool("late");
  expect((await connection.autostartFailure(pool))?.attempts).toBeGreaterThanOrEqual(2);
  await expect(pool.stop()).rejects.toMatchObject({ code: 55, message: expect.stringContaining("no longer tried") });
  expect(existsSync(join(root, "run/storage/late.autostart.json"))).toBe(false);
  await daemon.kill();
  await restart();
  expect(await connection.autostartFailure(await connection.lookupPool("late"))).toBeNull();
});
