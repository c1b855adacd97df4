import { readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Connection, Pool } from "@cistern/client";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startedPool } from "../robustness/directory-pool.js";
import { PrivateDaemon } from "../robustness/private-daemon.js";
import { RawClient, type RawStream } from "./raw-client.js";

const BLOCK = 4096;
const NO_SPACE = { code: 38, error: "cannot write to stream: No space left on device" };

let daemon: PrivateDaemon;
let connection: Connection;
let pool: Pool;
let client: RawClient;

beforeAll(async () => {
  daemon = await PrivateDaemon.start();
  connection = await daemon.connect();
  pool = await startedPool(connection, "streams", join(daemon.root, "streams"));
});
afterAll(() => daemon?.close());

beforeEach(async () => {
  client = await RawClient.open(daemon.socket);
  await writeFile(fileOf("v"), Buffer.alloc(BLOCK, "o"));
  await pool.refresh();
});
afterEach(() => client?.close());

const fileOf = (name: string): string => join(daemon.root, "streams", name);
const content = async (): Promise<string> => (await readFile(fileOf("v"))).toString("latin1");
const upload = (range: Parameters<RawClient["stream"]>[2] = {}): Promise<RawStream> =>
  client.stream("upload", { pool: "streams", name: "v" }, range);
const download = (range: Parameters<RawClient["stream"]>[2] = {}): Promise<RawStream> =>
  client.stream("download", { pool: "streams", name: "v" }, range);
const old = (length: number): string => "o".repeat(length);
const zeros = (length: number): string => "\0".repeat(length);

describe("an upload", () => {
  it("writes in place, without truncating, and is confirmed when it is finished", async () => {
    const stream = await upload({ offset: 10n });
    stream.data("new");
    stream.finish();
    expect(await stream.answer()).toBe("confirmed");
    expect(await content()).toBe(`${old(10)}new${old(BLOCK - 13)}`);
  });

  it("grows the file where it goes beyond its end", async () => {
    const stream = await upload({ offset: BigInt(BLOCK) + 2n });
    stream.data("new");
    stream.finish();
    expect(await stream.answer()).toBe("confirmed");
    expect(await content()).toBe(`${old(BLOCK)}${zeros(2)}new`);
  });

  it("takes exactly its length", async () => {
    const stream = await upload({ length: 3n });
    stream.data("new");
    stream.finish();
    expect(await stream.answer()).toBe("confirmed");
    expect(await content()).toBe(`new${old(BLOCK - 3)}`);
  });

  it("beyond its length writes what fits and fails; a later finish is not answered", async () => {
    const stream = await upload({ length: 3n });
    stream.data("newX");
    expect(await stream.answer()).toEqual(NO_SPACE);
    stream.finish();
    // The reply to the next call is the next packet: nothing came for the stream.
    const again = await upload();
    again.abort();
    expect(await again.answer()).toBe("confirmed");
    expect(await content()).toBe(`new${old(BLOCK - 3)}`);
  });

  it("that fails at once drops what was sent behind, and answers once", async () => {
    const stream = await upload({ length: 3n, sparse: true });
    stream.data("newX");
    stream.data("more");
    stream.hole(5n);
    stream.finish();
    expect(await stream.answer()).toEqual(NO_SPACE);
    const again = await upload();
    again.abort();
    expect(await again.answer()).toBe("confirmed");
  });

  it.each(["at once", "after the answer"])("finished again, %s, is confirmed once", async (when) => {
    const stream = await upload();
    // Packets that are written together arrive together.
    client.socket.cork();
    stream.finish();
    if (when === "at once") stream.finish();
    client.socket.uncork();
    expect(await stream.answer()).toBe("confirmed");
    if (when !== "at once") stream.finish();
    const again = await upload();
    again.abort();
    expect(await again.answer()).toBe("confirmed");
  });

  it("that is aborted keeps what was written", async () => {
    const stream = await upload();
    stream.data("new");
    stream.abort();
    expect(await stream.answer()).toBe("confirmed");
    expect(await content()).toBe(`new${old(BLOCK - 3)}`);
  });

  it("takes no notice of an empty data packet (libvirt takes it for the end: quirk 22)", async () => {
    const stream = await upload();
    stream.data("");
    stream.data("new");
    stream.finish();
    expect(await stream.answer()).toBe("confirmed");
    expect(await content()).toBe(`new${old(BLOCK - 3)}`);
  });

  it("takes packets of any length up to the protocol's", async () => {
    const stream = await upload();
    const bytes = Buffer.alloc(4 * 1024 * 1024);
    for (let index = 0; index < bytes.length; index += 1024) bytes.writeUInt32BE(index, index);
    for (let count = 0; count < 3; count++) stream.data(bytes);
    stream.finish();
    expect(await stream.answer()).toBe("confirmed");
    expect(Buffer.concat([bytes, bytes, bytes]).equals(await readFile(fileOf("v")))).toBe(true);
  });

  it("of many small packets arrives in order", async () => {
    const stream = await upload();
    for (let index = 0; index < 20_000; index++) stream.data(String.fromCharCode(97 + (index % 26)));
    stream.finish();
    expect(await stream.answer()).toBe("confirmed");
    const expected = Array.from({ length: 20_000 }, (_, index) => String.fromCharCode(97 + (index % 26))).join("");
    expect(await content()).toBe(expected);
  });
});

describe("a sparse upload", () => {
  it.each([
    ["holes at the start and data", [100n, 100n, "0123456789"], `${zeros(200)}0123456789${old(BLOCK - 210)}`],
    ["a hole in the middle keeps what is behind (quirk 9)", ["new", 100n], `new${zeros(100)}${old(BLOCK - 103)}`],
    ["a hole at the end extends the file", [BigInt(BLOCK), 1000n], zeros(BLOCK + 1000)],
    ["a hole across the old end", ["a", 5000n, "z"], `a${zeros(5000)}z`],
    ["an empty packet between holes", [10n, "", 10n], `${zeros(20)}${old(BLOCK - 20)}`],
  ])("%s", async (_what, parts, expected) => {
    const stream = await upload({ sparse: true });
    for (const part of parts) typeof part === "bigint" ? stream.hole(part) : stream.data(part);
    stream.finish();
    expect(await stream.answer()).toBe("confirmed");
    expect(await content()).toBe(expected);
  });

  it("ends a hole at the upload's length", async () => {
    const stream = await upload({ sparse: true, length: 10n });
    stream.hole(11n);
    expect(await stream.answer()).toEqual(NO_SPACE);
    expect(await content()).toBe(`${zeros(10)}${old(BLOCK - 10)}`);
  });

  it.each([
    ["a negative length", -5n, 0],
    ["no length", 0n, 0],
    ["flags", 5n, 1],
  ])("refuses a hole with %s on the stream (libvirt: a wrong REPLY, quirk 10)", async (_what, length, flags) => {
    const stream = await upload({ sparse: true });
    stream.hole(length, flags);
    expect(await stream.answer()).toMatchObject({ code: 8, error: expect.stringContaining("invalid argument: ") });
    expect(await content()).toBe(old(BLOCK));
    const again = await upload();
    again.abort();
    expect(await again.answer()).toBe("confirmed");
  });

  it("refuses a hole that no file can have", async () => {
    const stream = await upload({ sparse: true });
    stream.hole(2n ** 63n - 1n);
    expect(await stream.answer()).toMatchObject({
      code: 38,
      error: expect.stringMatching(/too large|Invalid argument/),
    });
  });

  it("a hole on a stream that is not sparse ends the connection", async () => {
    const stream = await upload();
    stream.hole(100n);
    expect(await stream.answer()).toBeNull();
    expect(await content()).toBe(old(BLOCK));
  });
});

describe("a download", () => {
  it.each([
    ["all", {}, [Buffer.from(old(BLOCK)), "end"]],
    ["a part", { offset: 4000n, length: 10n }, [Buffer.from(old(10)), "end"]],
    ["less than its length at the end", { offset: 4090n, length: 100n }, [Buffer.from(old(6)), "end"]],
    ["nothing behind the end", { offset: 99_999n }, ["end"]],
  ])("gives %s, then the end, then confirms the finish", async (_what, range, expected) => {
    const stream = await download(range);
    expect(await stream.content()).toEqual(expected);
    stream.finish();
    expect(await stream.answer()).toBe("confirmed");
  });

  it("refuses an offset that no file has", async () => {
    const refused = `Unable to seek ${fileOf("v")} to ${2n ** 63n}: Invalid argument`;
    await expect(download({ offset: 2n ** 63n })).rejects.toThrow(refused);
  });

  it("names holes when it is sparse, the last one too", async () => {
    await writeFile(fileOf("v"), Buffer.alloc(65_536, "a"));
    await truncate(fileOf("v"), 1_048_576);
    const file = await readFile(fileOf("v"));
    file.fill("b", 524_288, 524_288 + 65_536);
    const stream = await upload({ offset: 524_288n });
    stream.data(file.subarray(524_288, 524_288 + 65_536));
    stream.finish();
    expect(await stream.answer()).toBe("confirmed");
    expect((await stat(fileOf("v"))).blocks * 512).toBeLessThan(1_048_576);

    const sparse = await download({ sparse: true });
    const a = Buffer.alloc(65_536, "a");
    const b = Buffer.alloc(65_536, "b");
    expect(await sparse.content()).toEqual([a, 458_752n, b, 458_752n, "end"]);
    const clipped = await download({ sparse: true, offset: 65_536n, length: 1000n });
    expect(await clipped.content()).toEqual([1000n, "end"]);
    const plain = await download();
    expect(await plain.content()).toEqual([file, "end"]);
  });

  it("that is aborted in the middle is confirmed, and the connection goes on", async () => {
    await truncate(fileOf("v"), 64 * 1024 * 1024);
    const stream = await download();
    expect(await stream.answer()).toBeInstanceOf(Uint8Array);
    stream.abort();
    const [data, confirmed] = await stream.content();
    // Data that was on its way comes first.
    expect(data).toBeInstanceOf(Uint8Array);
    expect(confirmed).toBe("confirmed");
    expect((data as Uint8Array).length).toBeLessThan(32 * 1024 * 1024);
    const again = await download({ length: 1n });
    expect(await again.content()).toEqual([Buffer.from("o"), "end"]);
  });

  it("needs no finish: a client that never says it downloads as often as it likes", async () => {
    for (let count = 0; count < 200; count++) {
      const stream = await download();
      expect((await stream.content()).at(-1)).toBe("end");
    }
    expect((await daemon.descriptors()).filter((target) => target === fileOf("v"))).toEqual([]);
    // The last of them still may.
    const stream = await download();
    await stream.content();
    stream.finish();
    expect(await stream.answer()).toBe("confirmed");
  });
});
