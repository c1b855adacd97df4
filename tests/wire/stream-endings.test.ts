import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection, Pool, PoolEvent, Volume } from "@cistern/client";
import { encodeCall, storage } from "@cistern/protocol";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startedPool } from "../robustness/directory-pool.js";
import { PrivateDaemon } from "../robustness/private-daemon.js";
import { loopRequirements, mountLoop } from "../support/loop.js";
import { missing } from "../support/requirements.js";
import { RawClient, type RawStream } from "./raw-client.js";

const STREAMS_PER_CLIENT = 64;
const SETTLED_MS = 5_000;

let daemon: PrivateDaemon;
let connection: Connection;
let pool: Pool;
let volume: Volume;
let client: RawClient;

beforeAll(async () => {
  daemon = await PrivateDaemon.start();
  connection = await daemon.connect();
  pool = await startedPool(connection, "ends", join(daemon.root, "ends"));
  volume = await pool.createVolume("<volume><name>v</name><capacity>67108864</capacity></volume>");
});
afterAll(() => daemon?.close());

beforeEach(async () => {
  client = await RawClient.open(daemon.socket);
});
afterEach(() => client?.close());

const handle = { pool: "ends", name: "v" };
const file = (): string => join(daemon.root, "ends/v");
const openFiles = async (): Promise<number> => (await daemon.descriptors()).filter((path) => path === file()).length;

/** Every way in which an upload ends. */
const endings: [string, (stream: RawStream, client: RawClient) => Promise<void>][] = [
  [
    "finish",
    async (stream) => {
      stream.finish();
      expect(await stream.answer()).toBe("confirmed");
    },
  ],
  [
    "abort",
    async (stream) => {
      stream.abort();
      expect(await stream.answer()).toBe("confirmed");
    },
  ],
  [
    "an error",
    async (stream) => {
      stream.hole(-1n);
      expect(await stream.answer()).toMatchObject({ code: 8 });
    },
  ],
  ["the client's disappearance", async (_stream, lost) => lost.close()],
  [
    "the client's disappearance in the middle of a packet",
    async (_stream, lost) => {
      const packet = encodeCall(storage.storagePoolLookupByName, 7, { name: "x".repeat(1000) });
      lost.send(packet.subarray(0, 500));
      lost.close();
    },
  ],
];

describe("an upload that ends by", () => {
  it.each(endings)("%s gives back its volume and file, and its pool is scanned", async (_how, end) => {
    const events = await connection.poolEvents(pool);
    const stream = await client.stream("upload", handle, { sparse: true });
    stream.data("content");
    await eventually(async () => expect((await readFile(file())).subarray(0, 7).toString()).toBe("content"));

    const refused = `volume 'v' is still in use.`;
    await expect(volume.delete()).rejects.toThrow(refused);
    await expect(volume.resize(134_217_728n)).rejects.toThrow(refused);
    await expect(volume.wipe()).rejects.toThrow(refused);
    await expect(volume.openUpload()).rejects.toThrow(refused);
    expect(await openFiles()).toBe(1);

    await end(stream, client);
    expect(await refreshOf(events)).toBe("ends");
    expect(await openFiles()).toBe(0);
    await volume.resize(134_217_728n);
    await volume.resize(67_108_864n, { shrink: true });
    await events.return?.();
  });

  it("a refresh of its pool meanwhile goes on with the same volume", async () => {
    const stream = await client.stream("upload", handle);
    await pool.refresh();
    await expect(volume.wipe()).rejects.toThrow("still in use");
    stream.data("after the refresh");
    stream.finish();
    expect(await stream.answer()).toBe("confirmed");
    await volume.wipe();
  });
});

describe("a download", () => {
  it("whose client disappears gives back its file", async () => {
    // Larger than can be read in the time.
    await pool.createVolume(
      "<volume><name>huge</name><capacity unit='TiB'>4</capacity><allocation>0</allocation></volume>",
    );
    const reading = async (): Promise<number> =>
      (await daemon.descriptors()).filter((path) => path === join(daemon.root, "ends/huge")).length;
    for (let count = 0; count < 5; count++) {
      const lost = await RawClient.open(daemon.socket);
      const stream = await lost.stream("download", { pool: "ends", name: "huge" });
      expect(await stream.answer()).toBeInstanceOf(Uint8Array);
      expect(await reading()).toBeGreaterThan(0);
      lost.close();
    }
    await eventually(async () => expect(await reading()).toBe(0));
  });

  it("keeps others from writing the volume, not from reading it", async () => {
    const stream = await client.stream("download", handle);
    const other = await RawClient.open(daemon.socket);
    await expect(other.stream("upload", handle)).rejects.toThrow(`volume '${handle.name}' is still in use.`);
    await other.stream("download", handle, { length: 1n });
    other.close();
    stream.abort();
    await eventually(async () => expect(await openFiles()).toBe(0));
    const third = await RawClient.open(daemon.socket);
    const upload = await third.stream("upload", handle);
    upload.finish();
    expect(await upload.answer()).toBe("confirmed");
    third.close();
  });
});

describe("the streams of a client", () => {
  it(`are at most ${STREAMS_PER_CLIENT}, and those that ended do not count`, async () => {
    const streams: RawStream[] = [];
    await pool.createVolume("<volume><name>many</name><capacity>0</capacity></volume>");
    for (let count = 0; count < STREAMS_PER_CLIENT; count++) {
      await pool.createVolume(`<volume><name>many-${count}</name><capacity>0</capacity></volume>`);
      streams.push(await client.stream("upload", { pool: "ends", name: `many-${count}` }));
    }
    const refusal = `a client may have at most ${STREAMS_PER_CLIENT} streams`;
    await expect(client.stream("upload", { pool: "ends", name: "many" })).rejects.toThrow(refusal);
    streams[0]?.finish();
    expect(await streams[0]?.answer()).toBe("confirmed");
    const one = await client.stream("upload", { pool: "ends", name: "many" });
    one.finish();
    expect(await one.answer()).toBe("confirmed");
  });

  it("two under one serial end the connection, and neither keeps the volume", async () => {
    const first = await client.stream("download", handle);
    expect(await first.answer()).toBeInstanceOf(Uint8Array);
    const args = { vol: { ...handle, key: "" }, offset: 0n, length: 0n, flags: 0 };
    client.send(encodeCall(storage.storageVolDownload, first.serial, args));
    while ((await client.next()) !== null);
    await eventually(async () => expect(await openFiles()).toBe(0));
    await volume.wipe();
  });
});

const unavailable = missing(loopRequirements("ext4"));
describe(`a file system that is full${unavailable === null ? "" : ` (${unavailable})`}`, () => {
  it.skipIf(unavailable !== null)("fails the upload, at the latest when it is finished (quirk 13)", async () => {
    using mount = mountLoop("ext4", 16 * 1024 * 1024);
    await writeFile(join(mount.mountPoint, "v"), "");
    const full = await startedPool(connection, "full", mount.mountPoint);
    try {
      const stream = await client.stream("upload", { pool: "full", name: "v" });
      for (let sent = 0; sent < 40; sent++) stream.data(Buffer.alloc(1024 * 1024, 1));
      stream.finish();
      expect(await stream.answer()).toEqual({
        code: 38,
        error: expect.stringMatching(
          /^cannot write to stream for '.*\/v' \(\d+ bytes needed, \d+ bytes free\): No space left on device$/,
        ),
      });
    } finally {
      await eventually(() => full.stop());
      // The scan after the upload may have been under way.
      await eventually(async () => {
        const held = (await daemon.descriptors()).filter((path) => path.startsWith(mount.mountPoint));
        expect(held).toEqual([]);
      });
    }
  });
});

async function refreshOf(events: AsyncIterator<PoolEvent>): Promise<string> {
  for (;;) {
    const { value, done } = await events.next();
    if (done) throw new Error("the events ended");
    if (value.kind === "refreshed") return value.pool.name;
  }
}

async function eventually(check: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + SETTLED_MS;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(20);
    }
  }
}
