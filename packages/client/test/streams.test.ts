import { getEventListeners } from "node:events";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import {
  decodeXdr,
  encodeError,
  encodeFrame,
  encodePacket,
  type Frame,
  LibvirtError,
  MessageStatus,
  MessageType,
  storage,
  streamHole,
} from "@cistern/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Connection, isHole, Pool, Volume } from "../dist/index.js";
import { connectScripted } from "./scripted-connection.js";
import type { ScriptedServer } from "./scripted-server.js";

const { OK, ERROR, CONTINUE } = MessageStatus;

let server: ScriptedServer;
let connection: Connection;
let volume: Volume;
let opening: Frame;

beforeEach(async () => {
  ({ server, connection } = await connectScripted());
  volume = new Volume(connection, { pool: "p", name: "v", key: "/p/v" });
  for (const procedure of [storage.storageVolUpload, storage.storageVolDownload]) {
    server.on(procedure, (_args, frame) => {
      opening = frame;
      return undefined;
    });
  }
});
afterEach(() => connection.close());

/** Takes a stream's finish, and answers as `answer` does: that all is well. */
async function confirm(answer = () => server.sendStream(opening, OK)): Promise<Frame> {
  const finish = await server.packet((frame) => isStream(OK)(frame) && frame.serial === opening.serial);
  answer();
  return finish;
}

const answersLookups = (): void =>
  server.on(storage.storagePoolLookupByName, ({ name }) => ({
    pool: { name, uuid: "5e7a1f00-1111-2222-3333-444455556666" },
  }));

const isStream = (status: number) => (frame: Frame) => frame.type === MessageType.STREAM && frame.status === status;

describe("downloads", () => {
  it("give the bytes up to the end, and say that they are done", async () => {
    const download = await volume.openDownload({ offsetBytes: 1n, lengthBytes: 10n });
    expect(decodeXdr(storage.storageVolDownload.args, opening.payload).value).toMatchObject({
      offset: 1n,
      length: 10n,
      flags: 0,
    });
    server.sendStream(opening, CONTINUE, Buffer.from("hello "));
    server.sendStream(opening, CONTINUE, Buffer.from("world"));
    server.sendStream(opening, CONTINUE);
    const content = buffer(download);
    expect((await confirm()).serial).toBe(opening.serial);
    expect((await content).toString()).toBe("hello world");
  });

  it("fail where the server says at the end that this was not all", async () => {
    const download = await volume.openDownload();
    server.sendStream(opening, CONTINUE, Buffer.from("some"));
    server.sendStream(opening, CONTINUE);
    const content = expect(buffer(download)).rejects.toMatchObject({ code: 38, int1: 5 });
    const broken = LibvirtError.system(38, 5, "cannot read from stream");
    await confirm(() => server.send(encodeError(opening, broken, MessageType.STREAM)));
    await content;
  });

  it.each(["waits", "is gone"])("hold up no other call when all has come and the reader %s", async (reader) => {
    const download = await volume.openDownload();
    const packet = encodeFrame({
      ...opening,
      type: MessageType.STREAM,
      status: CONTINUE,
      payload: Buffer.alloc(262_120),
    });
    const end = encodeFrame({ ...opening, type: MessageType.STREAM, status: CONTINUE, payload: new Uint8Array() });
    server.send(...Array.from({ length: 40 }, () => packet), end);
    await server.packet(isStream(OK));
    expect(download.readableLength).toBeGreaterThan(8 * 1024 * 1024);
    if (reader === "is gone") download.destroy();
    answersLookups();
    expect(await connection.lookupPool("p", { timeoutMs: 2_000 })).toBeInstanceOf(Pool);
    expect(server.received.filter(isStream(ERROR))).toEqual([]);
    await confirm();
    download.destroy();
  });

  it("miss nothing that stands in one chunk with the reply", async () => {
    server.on(storage.storageVolDownload, (_args, frame) => {
      const header = { ...frame, type: MessageType.STREAM, status: CONTINUE };
      server.send(
        encodeFrame({ ...frame, type: MessageType.REPLY, payload: new Uint8Array() }),
        encodeFrame({ ...header, payload: Buffer.from("at once") }),
        encodeFrame({ ...header, payload: new Uint8Array() }),
      );
      return null;
    });
    const content = buffer(await volume.openDownload());
    await confirm();
    expect((await content).toString()).toBe("at once");
  });

  it("fail with the server's error", async () => {
    const download = await volume.openDownload();
    server.sendStream(opening, CONTINUE, Buffer.from("some"));
    server.send(encodeError(opening, LibvirtError.system(38, 5, "cannot read from stream"), MessageType.STREAM));
    await expect(buffer(download)).rejects.toMatchObject({ code: 38, int1: 5 });
  });

  it("that are destroyed tell the server to stop, and its late packets harm nobody", async () => {
    const download = await volume.openDownload();
    download.destroy();
    await server.packet(isStream(ERROR));
    server.sendStream(opening, CONTINUE, Buffer.from("late"));
    server.sendStream(opening, OK);
    server.sendStream(opening, CONTINUE, Buffer.from("later"));
    answersLookups();
    expect(await connection.lookupPool("p")).toBeInstanceOf(Pool);
  });

  it("give holes where they are sparse", async () => {
    const download = await volume.openDownload({ sparse: true });
    expect(decodeXdr(storage.storageVolDownload.args, opening.payload).value.flags).toBe(1);
    const hole = { ...opening, type: MessageType.STREAM_HOLE, status: CONTINUE };
    server.sendStream(opening, CONTINUE, Buffer.from("a"));
    server.send(encodePacket(hole, streamHole, { length: 2n ** 40n, flags: 0 }));
    server.sendStream(opening, CONTINUE);
    const all = download.toArray();
    await confirm();
    const chunks = await all;
    expect(chunks.map((chunk: unknown) => (isHole(chunk) ? chunk.holeBytes : String(chunk)))).toEqual(["a", 2n ** 40n]);
    expect(download.doneBytes).toBe(2n ** 40n + 1n);
  });

  it("hold only so much for a reader that does not read, and lose nothing", async () => {
    const download = await volume.openDownload();
    const packet = Buffer.alloc(262_120, 1);
    let sent = 0;
    let accepted = 0;
    const total = 100;
    for (; sent < total; sent++) server.sendStream(opening, CONTINUE, packet);
    server.sendStream(opening, CONTINUE);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(download.readableLength).toBeLessThan(10 * 1024 * 1024);
    void confirm();
    for await (const chunk of download) accepted += (chunk as Buffer).length;
    expect(accepted).toBe(total * packet.length);
  });

  it("fail when the connection ends", async () => {
    const download = await volume.openDownload();
    server.end();
    await expect(buffer(download)).rejects.toThrow("The server closed the connection");
  });
});

describe("uploads", () => {
  it("arrive in packets of at most 262,120 bytes and finish with the server's confirmation", async () => {
    const upload = await volume.openUpload();
    const content = Buffer.alloc(1_000_000, "abc");
    let confirmed = false;
    const done = pipeline(Readable.from([content.subarray(0, 900_000), content.subarray(900_000)]), upload).then(() => {
      expect(confirmed).toBe(true);
    });
    await server.packet(isStream(OK));
    const data = server.received.filter(isStream(CONTINUE)).map(({ payload }) => payload);
    expect(Buffer.concat(data).equals(content)).toBe(true);
    expect(Math.max(...data.map(({ length }) => length))).toBe(262_120);
    confirmed = true;
    server.sendStream(opening, OK);
    await done;
  });

  it("fail with the server's error, in the middle and at the end", async () => {
    const full = LibvirtError.system(38, 28, "cannot write to stream");
    const first = await volume.openUpload();
    first.write(Buffer.from("data"));
    const failed = new Promise((resolve) => first.once("error", resolve));
    server.send(encodeError(opening, full, MessageType.STREAM));
    expect(await failed).toMatchObject({ code: 38, int1: 28 });

    const second = await volume.openUpload();
    const done = pipeline(Readable.from([Buffer.from("data")]), second);
    await server.packet((frame) => isStream(OK)(frame) && frame.serial === opening.serial);
    server.send(encodeError(opening, full, MessageType.STREAM));
    await expect(done).rejects.toMatchObject({ code: 38, int1: 28 });
  });

  it("name holes in their place among the bytes", async () => {
    const upload = await volume.openUpload({ sparse: true });
    upload.write(Buffer.from("a"));
    upload.write({ holeBytes: 100n });
    upload.end(Buffer.from("b"));
    await server.packet(isStream(OK));
    const packets = server.received.filter(
      ({ serial, type }) => serial === opening.serial && type !== MessageType.CALL,
    );
    expect(packets.map(({ type }) => type)).toEqual([3, 6, 3, 3]);
    expect(decodeXdr(streamHole, packets[1]?.payload ?? new Uint8Array()).value).toEqual({ length: 100n, flags: 0 });
    server.sendStream(opening, OK);
    await new Promise((resolve) => upload.once("close", resolve));
    expect(upload.doneBytes).toBe(102n);
  });

  it("refuse holes where they are not sparse", async () => {
    const upload = await volume.openUpload();
    const failed = new Promise((resolve) => upload.once("error", resolve));
    upload.write({ holeBytes: 1n });
    expect(String(await failed)).toContain("sparse");
    await server.packet(isStream(ERROR));
  });

  it("that are destroyed tell the server", async () => {
    const upload = await volume.openUpload();
    upload.destroy();
    expect((await server.packet(isStream(ERROR))).payload.length).toBe(0);
    server.sendStream(opening, OK);
  });
});

describe.each(["openDownload", "openUpload"] as const)("%s with a signal", (open) => {
  it("ends when the signal aborts, and tells the server", async () => {
    const controller = new AbortController();
    const stream = await volume[open]({ signal: controller.signal });
    const failed = new Promise((resolve) => stream.once("error", resolve));
    controller.abort();
    expect(await failed).toMatchObject({ code: 78 });
    await server.packet(isStream(ERROR));
    server.sendStream(opening, OK);
  });

  it("leaves nothing at the signal when it is through", async () => {
    const { signal } = new AbortController();
    const stream = await volume[open]({ signal });
    expect(getEventListeners(signal, "abort").length).toBe(1);
    const closed = new Promise((resolve) => stream.once("close", resolve));
    if ("end" in stream) stream.end();
    else {
      server.sendStream(opening, CONTINUE);
      stream.resume();
    }
    await confirm();
    await closed;
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

it("a stream that opens after its caller gave up is ended", async () => {
  server.on(storage.storageVolDownload, (_args, frame) => {
    opening = frame;
    return null;
  });
  await expect(volume.openDownload({ timeoutMs: 30 })).rejects.toMatchObject({ code: 68 });
  server.reply(opening, storage.storageVolDownload, undefined);
  await server.packet(isStream(ERROR));
});
