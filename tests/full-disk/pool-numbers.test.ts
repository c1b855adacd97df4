import { mkdir, writeFile } from "node:fs/promises";
import type { Connection, Job, Pool } from "@cistern/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startedPool } from "../robustness/directory-pool.js";
import { PrivateDaemon } from "../robustness/private-daemon.js";
import { loopRequirements } from "../support/loop.js";
import { missing } from "../support/requirements.js";
import { eventually } from "../volumes/waiting.js";
import { SmallDisk } from "./small-disk.js";

/** A pool on a file system of its own has what that has, also when somebody refreshes it in the middle of a job. */

const MIB = 1_048_576;
const unavailable = missing(loopRequirements("ext4"));

let disk: SmallDisk;
let daemon: PrivateDaemon;
let connection: Connection;
let pool: Pool;

beforeAll(() => {
  if (unavailable === null) disk = new SmallDisk("ext4", 64 * MIB);
});
afterAll(() => disk?.[Symbol.dispose]());
beforeEach(async (context) => {
  context.skip(unavailable !== null, unavailable ?? "");
  daemon = await PrivateDaemon.start("job_bandwidth_mib = 8\n");
  connection = await daemon.connect();
  await mkdir(disk.pool, { recursive: true });
  await writeFile(`${disk.pool}/source`, Buffer.alloc(16 * MIB, 7));
  pool = await startedPool(connection, "small", disk.pool);
});
afterEach(async () => {
  await daemon?.close();
});

async function expectTrueNumbers(): Promise<void> {
  const freeBytes = await disk.freeBytes();
  const { allocationBytes, availableBytes } = await pool.info();
  expect.soft(Math.abs(Number(availableBytes) - freeBytes), "available").toBeLessThanOrEqual(disk.slackBytes);
  const takenBytes = (await disk.capacityBytes()) - freeBytes;
  expect.soft(Math.abs(Number(allocationBytes) - takenBytes), "allocation").toBeLessThanOrEqual(disk.slackBytes);
}

/** The clone that is under way, some of it copied. */
const halfDone = (): Promise<Job> =>
  eventually("some of it is copied", async () =>
    (await connection.listJobs()).find(({ kind, doneBytes }) => kind === "clone" && doneBytes > 2n * BigInt(MIB)),
  );

describe("after a clone that was refreshed in the middle, a pool's numbers are those of its file system", () => {
  it.each(["done", "cancelled"] as const)("(%s)", async (end) => {
    const source = await pool.lookupVolume("source");
    const xml = "<volume><name>copy</name><capacity>0</capacity><allocation>0</allocation></volume>";
    const cloning = pool.cloneVolume(xml, source).then(
      () => "done",
      () => "cancelled",
    );
    const { id } = await halfDone();
    await pool.refresh();
    if (end === "done") await connection.setJobBandwidth(id, null);
    else await connection.cancelJob(id);
    expect(await cloning).toBe(end);
    await expectTrueNumbers();
    if (end === "done") await (await pool.lookupVolume("copy")).delete();
    await expectTrueNumbers();
  });
});
