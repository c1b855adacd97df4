import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection, Pool, Volume } from "@cistern/client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startedPool } from "../robustness/directory-pool.js";
import { PrivateDaemon } from "../robustness/private-daemon.js";
import { startVirsh, virshMissing } from "./virsh.js";
import { eventually, jobThat } from "./waiting.js";

const MIB = 1_048_576;
/** More than is copied in one step at this rate before anybody could stop it. */
const SLOW = "job_bandwidth_mib = 1\n";

let daemon: PrivateDaemon;
let connection: Connection;
beforeEach((context) => {
  const reason = virshMissing();
  context.skip(reason !== null, reason ?? "");
});
afterEach(() => daemon?.close());

async function start(configuration: string): Promise<Pool> {
  daemon = await PrivateDaemon.start(configuration);
  connection = await daemon.connect();
  return startedPool(connection, "images", images());
}
const images = (name = ""): string => join(daemon.root, "images", name);
const names = async (pool: Pool): Promise<string[]> => (await pool.listVolumes()).map(({ name }) => name);
const journal = (): string[] => readdirSync(join(daemon.root, "var/journal"));

async function filled(pool: Pool, name: string, bytes: number): Promise<Volume> {
  writeFileSync(images(name), Buffer.alloc(bytes, 5));
  await pool.refresh();
  return pool.lookupVolume(name);
}

describe("a client that is killed in the middle of a clone", () => {
  it.each(["raw", "qcow2"])("takes the clone with it where the administrator wants it so (%s)", async (format) => {
    const pool = await start(`${SLOW}on_disconnect = "cancel"\n`);
    const source = await filled(pool, "source", 96 * MIB);
    const cloning = startVirsh(
      daemon,
      "vol-create-from",
      "--pool",
      "images",
      document("copy", format),
      "source",
      "--inputpool",
      "images",
    );
    const { id } = await jobThat(connection, { state: "running", volume: "copy" });
    expect(await names(pool)).toEqual(["copy", "source"]);
    process.kill(cloning.pid, "SIGKILL");
    await cloning.ended;
    await eventually("the job is over", async () => (await connection.lookupJob(id)).endedAt !== null);
    expect(await connection.lookupJob(id)).toMatchObject({ state: "cancelled", volume: "copy" });
    expect(await names(pool)).toEqual(["source"]);
    expect(readdirSync(images())).toEqual(["source"]);
    expect(journal()).toEqual([]);
    await source.delete();
    await pool.stop();
  });

  it("is not missed where nothing is said: the clone is finished", async () => {
    const pool = await start(SLOW);
    await filled(pool, "source", 96 * MIB);
    const cloning = startVirsh(
      daemon,
      "vol-create-from",
      "--pool",
      "images",
      document("copy", "raw"),
      "source",
      "--inputpool",
      "images",
    );
    const { id } = await jobThat(connection, { state: "running", volume: "copy" });
    process.kill(cloning.pid, "SIGKILL");
    await cloning.ended;
    await sleep(200);
    expect((await connection.lookupJob(id)).state).toBe("running");
    await connection.setJobBandwidth(id, null);
    await eventually("the job is over", async () => (await connection.lookupJob(id)).endedAt !== null);
    expect(await connection.lookupJob(id)).toMatchObject({ state: "done" });
    expect(await names(pool)).toEqual(["copy", "source"]);
    const [copied, original] = [readFileSync(images("copy")), readFileSync(images("source"))];
    // It may be longer by a block: the source's allocation counts those that say where its data lies, as with libvirt.
    expect(copied.subarray(0, original.length).equals(original)).toBe(true);
  });

  /** A file with the document of a clone. */
  function document(name: string, format: string): string {
    const path = join(daemon.root, `${name}.xml`);
    writeFileSync(
      path,
      `<volume><name>${name}</name><capacity>0</capacity><target><format type='${format}'/></target></volume>`,
    );
    return path;
  }
});

it("an upload on which nothing comes is given up after its time, and its volume is free", async () => {
  const pool = await start("stream_idle_seconds = 1\n");
  const volume = await filled(pool, "a", MIB);
  const stream = await volume.openUpload();
  const failed = new Promise<Error>((resolve) => void stream.once("error", resolve));
  stream.write(Buffer.from("some"));
  // As long as something comes, it goes on.
  for (let step = 0; step < 4; step++) {
    await sleep(500);
    stream.write(Buffer.from("more"));
  }
  await expect(volume.delete()).rejects.toMatchObject({ code: 55 });
  const silentSince = performance.now();
  expect(await failed).toMatchObject({ message: expect.stringContaining("stream") });
  expect(performance.now() - silentSince).toBeLessThan(5_000);
  expect((await jobThat(connection, { kind: "upload", volume: "a" })).state).toBe("failed");
  expect(journal()).toEqual([]);
  await volume.delete();
});

it("a wipe keeps to the bandwidth of jobs", async () => {
  const pool = await start("job_bandwidth_mib = 16\n");
  const volume = await filled(pool, "a", 32 * MIB);
  const begun = performance.now();
  await volume.wipe();
  // Half a second may be caught up.
  expect(performance.now() - begun).toBeGreaterThan(1_300);
  expect(readFileSync(images("a")).equals(Buffer.alloc(32 * MIB))).toBe(true);
  const [job] = (await connection.listJobs({ ended: true })).slice(-1);
  expect(job).toMatchObject({ kind: "wipe", state: "done", bandwidthBytesPerSecond: BigInt(16 * MIB) });
});

describe("of more heavy work than may run at once", () => {
  it("the rest waits its turn, is shown so, can be cancelled while it waits, and holds up nothing light", async () => {
    const pool = await start(`max_jobs = 1\n${SLOW}`);
    const [first, second, third] = [
      await filled(pool, "a", 96 * MIB),
      await filled(pool, "b", MIB),
      await filled(pool, "c", MIB),
    ];
    const wiping = first.wipe();
    const running = await jobThat(connection, { kind: "wipe", volume: "a", state: "running" });
    const waiting = second.wipe();
    const cancelled = expect(third.wipe()).rejects.toMatchObject({ message: expect.stringContaining("cancelled") });
    const queued = await jobThat(connection, { kind: "wipe", volume: "b", state: "queued" });
    const unwanted = await jobThat(connection, { kind: "wipe", volume: "c", state: "queued" });
    expect(queued.startedAt).toBeNull();
    // It has its volume already: whoever comes later does not overtake it.
    await expect(second.delete()).rejects.toMatchObject({ code: 55 });
    await pool.createVolume(
      "<volume><name>light</name><capacity>1048576</capacity><allocation>0</allocation></volume>",
    );
    await pool.refresh();
    expect(await names(pool)).toEqual(["a", "b", "c", "light"]);
    await connection.cancelJob(unwanted.id);
    await cancelled;
    expect((await connection.lookupJob(unwanted.id)).state).toBe("cancelled");
    expect(readFileSync(images("c"))[0]).toBe(5);
    await third.delete();
    expect((await connection.lookupJob(queued.id)).state).toBe("queued");
    await connection.setJobBandwidth(running.id, null);
    await wiping;
    await waiting;
    expect(readFileSync(images("b")).equals(Buffer.alloc(MIB))).toBe(true);
    expect(statSync(images("a")).size).toBe(96 * MIB);
  });

  it("each pool has no more than its share", async () => {
    const pool = await start(`max_jobs_per_pool = 1\n${SLOW}`);
    const other = await startedPool(connection, "other", join(daemon.root, "other"));
    const first = await filled(pool, "a", 96 * MIB);
    const second = await filled(pool, "b", MIB);
    writeFileSync(join(daemon.root, "other/d"), Buffer.alloc(16, 5));
    await other.refresh();
    const wiping = first.wipe();
    const running = await jobThat(connection, { kind: "wipe", volume: "a", state: "running" });
    const waiting = second.wipe();
    await jobThat(connection, { kind: "wipe", volume: "b", state: "queued" });
    await (await other.lookupVolume("d")).wipe();
    await connection.setJobBandwidth(running.id, null);
    await Promise.all([wiping, waiting]);
  });
});
