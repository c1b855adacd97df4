import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { attachLoop, loopRequirements } from "../support/loop.js";
import { missing } from "../support/requirements.js";
import { RootedDaemon } from "../support/rooted-daemon.js";
import { eventually } from "./waiting.js";

const MIB = 1_048_576;
const journal = (): string[] => readdirSync(join(root, "var/journal"));

let root: string;
let daemon: RootedDaemon;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "cistern-interrupted-"));
  daemon = await RootedDaemon.prepare(root, "job_bandwidth_mib = 1\n");
});
afterEach(async () => {
  await daemon.stop();
  await rm(root, { recursive: true, force: true });
});

it("a volume of a pool that is mounted after the boot is named as incomplete when its pool starts", async (context) => {
  const reason = missing(loopRequirements("ext4"));
  context.skip(reason !== null, reason ?? "");
  using loop = attachLoop(32 * MIB);
  execFileSync("mkfs.ext4", ["-q", loop.device]);
  const target = join(root, "images");
  mkdirSync(target);
  await daemon.start();
  try {
    const connection = await daemon.connect();
    const pool = await connection.definePool(
      `<pool type='fs'><name>images</name><source><device path='${loop.device}'/></source><target><path>${target}</path></target></pool>`,
    );
    await pool.setAutostart(true);
    await pool.start();
    writeFileSync(join(target, "a.img"), Buffer.alloc(8 * MIB, 5));
    await pool.refresh();
    const wiping = (await pool.lookupVolume("a.img")).wipe().catch(() => {});
    await eventually("it is in the middle", async () => journal().length === 1);
    await daemon.kill();
    await wiping;
    expect(journal()).toHaveLength(1);
    // As after a reboot: nothing is mounted, and /run is empty.
    execFileSync("umount", [target]);
    rmSync(join(root, "run"), { recursive: true });

    await daemon.start();
    expect(daemon.log).toContain(`'${target}' is another directory now`);
    expect(daemon.log).toContain(`the content of '${target}/a.img' is incomplete: part of it is old and part is new`);
    expect(journal()).toEqual([]);
    const again = await daemon.connect();
    const interrupted = (await again.listJobs({ ended: true })).filter(({ state }) => state === "interrupted");
    expect(interrupted.at(-1)).toMatchObject({
      kind: "wipe",
      volume: "a.img",
      remarks: [expect.stringContaining("incomplete")],
    });
    await (await again.lookupPool("images")).stop();
  } finally {
    await daemon.stop();
    try {
      execFileSync("umount", [target], { stdio: "ignore" });
    } catch {
      // The pool was stopped.
    }
  }
});

it("a volume that an interrupted upload has lengthened has its old length again, and its job says so", async () => {
  const target = join(root, "images");
  mkdirSync(target);
  const path = join(target, "a.img");
  writeFileSync(path, Buffer.alloc(MIB, 5));
  await daemon.start();
  const connection = await daemon.connect();
  const pool = await connection.definePool(
    `<pool type='dir'><name>images</name><target><path>${target}</path></target></pool>`,
  );
  await pool.setAutostart(true);
  await pool.start();
  const upload = await (await pool.lookupVolume("a.img")).openUpload();
  upload.on("error", () => {});
  upload.write(Buffer.alloc(8 * MIB, 6));
  await eventually("it is behind the old end", async () => statSync(path).size > MIB);
  await daemon.kill();
  expect(statSync(path).size).toBeGreaterThan(MIB);
  expect(journal()).toHaveLength(1);

  await daemon.start();
  expect(statSync(path).size).toBe(MIB);
  expect(journal()).toEqual([]);
  const again = await daemon.connect();
  const [interrupted] = await again.listJobs({ ended: true });
  expect(interrupted).toMatchObject({ kind: "upload", volume: "a.img", state: "interrupted" });
  expect(interrupted?.remarks).toEqual([
    expect.stringContaining(`'${path}' was cut back to ${MIB} bytes; the content of '${path}' is incomplete`),
  ]);
  expect((await (await (await again.lookupPool("images")).lookupVolume("a.img")).info()).capacityBytes).toBe(
    BigInt(MIB),
  );
});
