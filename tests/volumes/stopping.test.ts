import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { RootedDaemon } from "../support/rooted-daemon.js";
import { jobThat } from "./waiting.js";

const STOP_MS = 30_000;

let root: string;
let daemon: RootedDaemon;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "cistern-stopping-"));
  daemon = await RootedDaemon.prepare(root);
  await daemon.start();
});
afterEach(async () => {
  await daemon.stop();
  await rm(root, { recursive: true, force: true });
});

it("a pool into which somebody uploads when the daemon is asked to end is there for the next one", async () => {
  const connection = await daemon.connect();
  mkdirSync(join(root, "images"));
  writeFileSync(join(root, "images/a"), "old");
  // Nothing but its state is on disk: where that goes, the pool is gone.
  const pool = await connection.createPool(
    `<pool type='dir'><name>images</name><target><path>${root}/images</path></target></pool>`,
  );
  const upload = await (await pool.lookupVolume("a")).openUpload();
  upload.on("error", () => {});
  upload.write("new");
  await jobThat(connection, { kind: "upload", state: "running" });
  process.kill(daemon.pid, "SIGTERM");
  expect(await daemon.ended(STOP_MS)).toBe(true);
  await daemon.start();
  const found = await (await daemon.connect()).lookupPool("images");
  expect(await found.isActive()).toBe(true);
  expect((await found.listVolumes()).map(({ name }) => name)).toEqual(["a"]);
});

it("no second daemon undoes what this one does, also where it finds another lock", async () => {
  // As in another session of the same user, whose directory is another.
  rmSync(join(root, "run/storage/driver.pid"));
  const executable = fileURLToPath(new URL("../../packages/daemon/bin/cisternd.js", import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [executable, "--root", root], {
    encoding: "utf8",
    timeout: STOP_MS,
  });
  expect(status).toBe(3);
  expect(stderr).toContain(`(process ${daemon.pid}: `);
  expect(stderr).toContain(`already, which holds '${root}/var/journal.pid'`);
});
