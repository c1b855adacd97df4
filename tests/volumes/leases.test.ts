import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { finished } from "node:stream/promises";
import type { Connection, Pool, UploadStream, Volume } from "@cistern/client";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startedPool } from "../robustness/directory-pool.js";
import { PrivateDaemon } from "../robustness/private-daemon.js";
import { startVirsh, virsh, virshMissing } from "./virsh.js";
import { eventually, jobThat } from "./waiting.js";

const MIB = 1_048_576;

let daemon: PrivateDaemon;
let connection: Connection;
let pool: Pool;
const images = (name = ""): string => join(daemon.root, "images", name);

beforeAll(async () => {
  daemon = await PrivateDaemon.start();
  connection = await daemon.connect();
  pool = await startedPool(connection, "images", images());
});
afterEach(async () => {
  for (const volume of await pool.listVolumes()) await volume.delete();
});
afterAll(() => daemon?.close());

const create = (name: string, bytes = MIB): Promise<Volume> =>
  pool.createVolume(`<volume><name>${name}</name><capacity>${bytes}</capacity><allocation>0</allocation></volume>`);

/** An upload of which some has come. */
async function uploading(volume: Volume, bytes: Uint8Array): Promise<UploadStream> {
  const stream = await volume.openUpload();
  await new Promise<void>((resolve, reject) => {
    stream.write(bytes, (error) => (error == null ? resolve() : reject(error)));
  });
  return stream;
}

async function end(stream: UploadStream): Promise<void> {
  stream.end();
  await finished(stream);
}

const names = async (): Promise<string[]> => (await pool.listVolumes()).map(({ name }) => name);
const inUse = (name: string) => ({
  code: 55,
  domain: 18,
  message: expect.stringContaining(`volume '${name}' is still in use.`),
});

describe("under an upload", () => {
  it("nothing that would lose it is done, whoever asks, and it ends as if nobody had", async (context) => {
    const reason = virshMissing();
    context.skip(reason !== null, reason ?? "");
    const volume = await create("a");
    const content = Buffer.alloc(MIB, "content");
    writeFileSync(join(daemon.root, "other"), "other");
    const stream = await uploading(volume, content);
    const told = "error: Requested operation is not valid: volume 'a' is still in use.";
    for (const line of [
      ["vol-delete", "--pool", "images", "a"],
      ["vol-resize", "--pool", "images", "a", "2M"],
      ["vol-wipe", "--pool", "images", "a"],
      ["vol-upload", "--pool", "images", "a", join(daemon.root, "other")],
      ["vol-download", "--pool", "images", "a", join(daemon.root, "downloaded")],
      ["vol-clone", "--pool", "images", "a", "b"],
    ]) {
      const { status, output } = await virsh(daemon, ...line);
      expect(`${line[0]}: ${output}`).toContain(told);
      expect(status).toBe(1);
    }
    const stopped = await virsh(daemon, "pool-destroy", "images");
    expect(stopped).toMatchObject({ status: 1, output: expect.stringContaining("volume 'a' is still in use.") });
    // libvirt looks first at whether a pool is active.
    const undefined_ = await virsh(daemon, "pool-undefine", "images");
    expect(undefined_).toMatchObject({ status: 1, output: expect.stringContaining("pool 'images' is still active") });
    await end(stream);
    expect(readFileSync(images("a")).equals(content)).toBe(true);
    expect(readdirSync(images())).toEqual(["a"]);
  });

  it("a download of the volume is refused, and of another one is not", async () => {
    const [written, read] = [await create("a"), await create("b")];
    const stream = await uploading(written, Buffer.from("x"));
    await expect(written.openDownload()).rejects.toMatchObject(inUse("a"));
    expect(await buffer(await read.openDownload())).toHaveLength(MIB);
    await end(stream);
    expect((await buffer(await written.openDownload())).subarray(0, 1).toString()).toBe("x");
  });

  it("a refresh works, loses nothing, and sees what came from outside", async () => {
    const stream = await uploading(await create("a"), Buffer.alloc(MIB, 1));
    writeFileSync(images("foreign"), "x");
    await pool.refresh();
    await create("made");
    expect(await names()).toEqual(["a", "foreign", "made"]);
    stream.write(Buffer.alloc(MIB, 2));
    await pool.refresh();
    await end(stream);
    expect(await (await pool.lookupVolume("a")).info()).toMatchObject({ capacityBytes: BigInt(2 * MIB) });
    const content = readFileSync(images("a"));
    expect([content[0], content[MIB], content.length]).toEqual([1, 2, 2 * MIB]);
  });

  it("that its client gave up the volume is free again", async () => {
    const volume = await create("a");
    const other = await daemon.connect();
    const stream = await uploading(await (await other.lookupPool("images")).lookupVolume("a"), Buffer.from("x"));
    stream.on("error", () => {});
    await expect(volume.delete()).rejects.toMatchObject(inUse("a"));
    await other.close();
    await eventually("the volume is free", () =>
      volume.resize(BigInt(2 * MIB)).then(
        () => true,
        () => false,
      ),
    );
    expect(statSync(images("a")).size).toBe(2 * MIB);
  });

  it("of little bandwidth, whose client is gone while it is not read, the volume is free again", async (context) => {
    const reason = virshMissing();
    context.skip(reason !== null, reason ?? "");
    const volume = await create("a");
    writeFileSync(join(daemon.root, "other"), Buffer.alloc(64 * MIB, "other"));
    const started = await eventually("an upload that still runs when it is limited", async () => {
      const client = startVirsh(daemon, "vol-upload", "--pool", "images", "a", join(daemon.root, "other"));
      const job = await Promise.race([jobThat(connection, { kind: "upload", state: "running" }), client.ended]);
      if (!("id" in job)) return undefined;
      const limited = connection.setJobBandwidth(job.id, 1n).then(
        () => true,
        () => false,
      );
      return (await limited) ? { client, job } : undefined;
    });
    await eventually("it stands still", async () => {
      const { doneBytes } = await connection.lookupJob(started.job.id);
      await new Promise((resolve) => setTimeout(resolve, 300));
      return (await connection.lookupJob(started.job.id)).doneBytes === doneBytes;
    });
    process.kill(started.client.pid, "SIGKILL");
    await started.client.ended;
    await eventually("the upload is over", async () => (await connection.lookupJob(started.job.id)).state === "failed");
    await volume.resize(BigInt(65 * MIB));
  });
});

describe("under a download", () => {
  it("others may download, and nobody may change the volume", async () => {
    const volume = await create("a");
    writeFileSync(images("a"), Buffer.alloc(64 * MIB, 7));
    const streams = [await volume.openDownload(), await volume.openDownload()];
    await expect(volume.openUpload()).rejects.toMatchObject(inUse("a"));
    await expect(volume.delete()).rejects.toMatchObject(inUse("a"));
    await expect(volume.wipe()).rejects.toMatchObject(inUse("a"));
    await expect(pool.stop()).rejects.toMatchObject({
      message: expect.stringContaining("volume 'a' is still in use."),
    });
    const contents = await Promise.all(streams.map((stream) => buffer(stream)));
    for (const content of contents) expect(content.equals(Buffer.alloc(64 * MIB, 7))).toBe(true);
    await volume.wipe();
  });
});

describe("under a clone", () => {
  it("a refresh works: the clone that grows is listed, the source is not taken away, and all of it arrives", async (context) => {
    const reason = virshMissing();
    context.skip(reason !== null, reason ?? "");
    await create("source");
    writeFileSync(images("source"), Buffer.alloc(96 * MIB, 5));
    await pool.refresh();
    await using slow = await slowedClones();
    const cloning = startVirsh(daemon, "vol-clone", "--pool", "images", "source", "copy");
    const job = await slow.running();
    expect(job).toMatchObject({ kind: "clone", volume: "copy", source: "images/source" });
    await pool.refresh();
    expect(await names()).toEqual(["copy", "source"]);
    // What has no name yet is seen by nobody.
    expect(readdirSync(images())).toEqual(["source"]);
    const copy = await pool.lookupVolume("copy");
    await expect(copy.delete()).rejects.toMatchObject({ message: expect.stringContaining("'copy'") });
    await expect((await pool.lookupVolume("source")).delete()).rejects.toMatchObject(inUse("source"));
    await expect(pool.stop()).rejects.toMatchObject({ message: expect.stringContaining("asynchronous jobs") });
    await expect(create("copy")).rejects.toMatchObject({ code: 90 });
    await create("meanwhile");
    await pool.refresh();
    await connection.setJobBandwidth(job.id, null);
    expect(await cloning.ended).toMatchObject({ status: 0 });
    expect(await names()).toEqual(["copy", "meanwhile", "source"]);
    const [copied, original] = [readFileSync(images("copy")), readFileSync(images("source"))];
    expect(copied.subarray(0, original.length).equals(original)).toBe(true);
    // The source's allocation counts blocks that say where its data lies; libvirt, too, makes a file as long as that.
    expect(copied.subarray(original.length).every((byte) => byte === 0)).toBe(true);
  });

  it("that was cancelled nothing is left", async (context) => {
    const reason = virshMissing();
    context.skip(reason !== null, reason ?? "");
    await create("source");
    // On the disk: what its blocks take is then the same at each look.
    writeFileSync(images("source"), Buffer.alloc(96 * MIB, 5), { flush: true });
    await pool.refresh();
    const before = await pool.info();
    await using slow = await slowedClones();
    const cloning = startVirsh(daemon, "vol-clone", "--pool", "images", "source", "copy");
    const job = await slow.running();
    await connection.cancelJob(job.id);
    expect(await cloning.ended).toMatchObject({ status: 1, output: expect.stringContaining("operation aborted") });
    expect((await connection.lookupJob(job.id)).state).toBe("cancelled");
    expect(await names()).toEqual(["source"]);
    expect(readdirSync(images())).toEqual(["source"]);
    expect(readdirSync(join(daemon.root, "var/journal"))).toEqual([]);
    expect((await pool.info()).allocationBytes).toBe(before.allocationBytes);
    await (await pool.lookupVolume("source")).delete();
  });
});

/** From now on, clones are slowed down as soon as they begin. */
async function slowedClones() {
  const watcher = await daemon.connect();
  const jobs = await watcher.watchJobs();
  const running = async () => {
    for await (const job of jobs) {
      if (job.kind === "clone" && job.endedAt === null) {
        await watcher.setJobBandwidth(job.id, 1_000_000n);
        return jobThat(connection, { kind: "clone", state: "running" });
      }
    }
    throw new Error("no clone began");
  };
  return { running, [Symbol.asyncDispose]: () => watcher.close() };
}
