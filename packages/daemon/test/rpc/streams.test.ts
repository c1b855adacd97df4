import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import {
  encodePacket,
  type Frame,
  LibvirtError,
  MessageStatus,
  MessageType,
  PROGRAM,
  streamHole,
} from "@cistern/protocol";
import { describe, expect, it } from "vitest";
import { QUICK_JOB } from "../../dist/jobs/job.js";
import { DAEMON_REQUESTER } from "../../dist/jobs/job-facts.js";
import { Jobs, STANDARD_JOB_SETTINGS } from "../../dist/jobs/jobs.js";
import { Outbox } from "../../dist/rpc/outbox.js";
import { DownloadStream } from "../../dist/rpc/streams/download-stream.js";
import { packetWire } from "../../dist/rpc/streams/packet-wire.js";
import type { StreamWire } from "../../dist/rpc/streams/server-stream.js";
import { UploadStream } from "../../dist/rpc/streams/upload-stream.js";
import { Download } from "../../dist/volumes/download.js";
import { spaceForUpload, Upload } from "../../dist/volumes/upload.js";
import { scratchDirectory, testHosts } from "../host/support.ts";

const MIB = 1024 * 1024;
const IDLE_MS = 150;
const SPARSE = 1;

const root = scratchDirectory();
const hosts = testHosts();
let counter = 0;

/** A client's end: what it got, in words. `reads`: whether it takes what it is sent. */
function clientEnd(reads = true): { wire: StreamWire; got: string[] } {
  const got: string[] = [];
  const say = (what: string): void => {
    // Data comes in pieces of any number.
    if (what !== "data" || got.at(-1) !== "data") got.push(what);
  };
  const wire: StreamWire = {
    data: async () => {
      say("data");
      if (!reads) await new Promise<void>(() => {});
    },
    hole: (lengthBytes) => say(`hole ${lengthBytes}`),
    endOfFile: () => say("end"),
    confirm: () => say("confirmed"),
    fail: (error: LibvirtError) => say(`${error.code}: ${error.message}`),
    forget: () => say("forgotten"),
    disconnect: () => say("disconnected"),
  };
  return { wire, got };
}

function packet(status: number, payload: Uint8Array = new Uint8Array(), type: number = MessageType.STREAM): Frame {
  return { program: PROGRAM.REMOTE, version: 1, procedure: 208, serial: 1, type, status, payload };
}
const dataPacket = (bytes: Uint8Array): Frame => packet(MessageStatus.CONTINUE, bytes);
const finish = packet(MessageStatus.OK);
const holePacket = (length: bigint): Frame => {
  const whole = encodePacket(packet(MessageStatus.CONTINUE), streamHole, { length, flags: 0 });
  return packet(MessageStatus.CONTINUE, whole.subarray(28), MessageType.STREAM_HOLE);
};

async function opened(sizeBytes = 0, cancel = new AbortController()) {
  const path = `${root}/v${counter++}`;
  writeFileSync(path, "");
  truncateSync(path, sizeBytes);
  const endings: (string | null)[] = [];
  const end = async (error: Error | null): Promise<void> => void endings.push(error === null ? null : error.message);
  const transfer = { job: { ...QUICK_JOB, signal: cancel.signal }, end };
  const file = await hosts.local.openFile(path, "read-write");
  return { path, file, transfer, endings, cancel };
}

async function uploadStream(idleMs?: number) {
  const { file, transfer, ...rest } = await opened();
  const upload = new Upload(file, { offsetBytes: 0n, lengthBytes: 0n, ...(await spaceForUpload(file)) }, transfer);
  const client = clientEnd();
  return { ...rest, ...client, stream: new UploadStream(upload, client.wire, SPARSE, () => {}, idleMs) };
}

async function downloadStream(reads: boolean, idleMs?: number) {
  const { file, transfer, ...rest } = await opened(64 * MIB);
  const download = new Download(file, { offsetBytes: 0n, lengthBytes: 0n, sparse: false }, transfer);
  const client = clientEnd(reads);
  const stream = new DownloadStream(download, client.wire, idleMs);
  stream.start();
  return { ...rest, ...client, stream };
}

/** Both ends of a connection; the client reads only when it is told to. */
async function connected() {
  const path = `${root}/socket${counter++}`;
  const listening = createServer().listen(path);
  const accepted = once(listening, "connection");
  const client = connect(path);
  const [server] = (await accepted) as [Socket];
  for (const socket of [client, server]) socket.on("error", () => {});
  const close = async (): Promise<void> => {
    client.destroy();
    server.destroy();
    listening.close();
  };
  return { client, server, [Symbol.asyncDispose]: close };
}

const IDLE = "Timed out during operation: nothing moved on the stream for 0.15 seconds";
const CANCELLED = LibvirtError.of(78, 18, "the job was cancelled");

describe("a stream of little bandwidth whose client goes away", () => {
  /** A transfer as `transfer`, in a job that may move one byte a second. */
  async function limited() {
    const jobs = new Jobs(undefined, { ...STANDARD_JOB_SETTINGS, bandwidthBytesPerSecond: 1n });
    const description = { pool: "p", volume: "v", requester: DAEMON_REQUESTER, isHeavy: false };
    const job = jobs.open({ ...description, kind: "upload" });
    await job.begin();
    const { file, endings, path } = await opened(4 * MIB);
    const end = async (error: Error | null): Promise<void> => {
      endings.push(error?.message ?? null);
      await job.end(error);
    };
    return { jobs, job, file, endings, path, transfer: { job, end } };
  }
  const GONE = "The client is gone";

  it("upwards, is over at once, and what came of it stays", async () => {
    const { jobs, file, transfer, endings, path } = await limited();
    const range = { offsetBytes: 0n, lengthBytes: 0n, ...(await spaceForUpload(file)) };
    const { wire } = clientEnd();
    const stream = new UploadStream(new Upload(file, range, transfer), wire, 0, () => {});
    const content = randomBytes(300_000);
    for (let at = 0; at < content.length; at += 100_000) stream.receive(dataPacket(content.subarray(at, at + 100_000)));
    expect(stream.keepsPackets).toBe(true);
    await stream.abandon();
    expect(endings).toEqual([GONE]);
    expect(jobs.list()).toEqual([]);
    expect(readFileSync(path).subarray(0, content.length).equals(content)).toBe(true);
  });

  it("downwards, waits for nothing any more", async () => {
    const { job, file, transfer, endings } = await limited();
    const download = new Download(file, { offsetBytes: 0n, lengthBytes: 0n, sparse: false }, transfer);
    const stream = new DownloadStream(download, clientEnd().wire);
    const waiting = job.pace(100_000n);
    stream.start();
    await stream.abandon();
    expect(endings).toEqual([GONE]);
    await waiting;
  });
});

describe("a stream on which nothing moves", () => {
  it("is given up where its client sends nothing, and the file has its old length", async () => {
    const { stream, got, endings, path } = await uploadStream(IDLE_MS);
    stream.receive(dataPacket(Buffer.from("came")));
    await expect.poll(() => got).toEqual([`68: ${IDLE}`, "forgotten"]);
    expect(endings).toEqual([IDLE]);
    expect(readFileSync(path, "utf8")).toBe("");
    stream.receive(dataPacket(Buffer.from("late")));
    stream.receive(finish);
    await stream.abandon();
    expect(got).toHaveLength(2);
    expect(readFileSync(path, "utf8")).toBe("");
  });

  it("is given up where its client reads nothing", async () => {
    const { got, endings } = await downloadStream(false, IDLE_MS);
    await expect.poll(() => got).toEqual(["data", `68: ${IDLE}`, "forgotten"]);
    expect(endings).toEqual([IDLE]);
  });

  it("is not given up while packets come", async () => {
    const { stream, got, path } = await uploadStream(IDLE_MS);
    for (let count = 0; count < 8; count++) {
      stream.receive(dataPacket(Buffer.from("x")));
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS / 3));
    }
    stream.receive(finish);
    await expect.poll(() => got).toEqual(["confirmed", "forgotten"]);
    expect(readFileSync(path, "utf8")).toBe("xxxxxxxx");
  });
});

describe("a stream whose job is cancelled", () => {
  it("tells its client, and gives the volume back before", async () => {
    const { stream, got, endings, cancel } = await uploadStream();
    stream.receive(dataPacket(Buffer.alloc(10 * MIB, 1)));
    cancel.abort(CANCELLED);
    await expect.poll(() => got).toEqual([`78: ${CANCELLED.message}`, "forgotten"]);
    expect(endings).toEqual([CANCELLED.message]);
    stream.receive(finish);
    expect(got).toHaveLength(2);
  });

  it.each([true, false])("ends a download, whether its client reads (%s) or not", async (reads) => {
    const { got, endings, cancel } = await downloadStream(reads);
    await expect.poll(() => got[0]).toBe("data");
    cancel.abort(CANCELLED);
    await expect.poll(() => endings.length).toBe(1);
    if (reads)
      expect([
        ["data", "end"],
        ["data", `78: ${CANCELLED.message}`, "forgotten"],
      ]).toContainEqual(got);
    else await expect.poll(() => got).toEqual(["data", `78: ${CANCELLED.message}`, "forgotten"]);
  });
});

describe("a download that its client ends early", () => {
  it.each([
    ["finish", MessageStatus.OK, null],
    ["abort", MessageStatus.ERROR, "The client gave the download up"],
  ])("by %s is confirmed when the volume is free, once", async (_how, status, reason) => {
    const { stream, got, endings } = await downloadStream(false);
    await expect.poll(() => got).toEqual(["data"]);
    stream.receive(packet(status));
    stream.receive(packet(status));
    expect(got).toEqual(["data"]);
    expect(endings).toEqual([]);
    await expect.poll(() => endings).toEqual([reason]);
    await expect.poll(() => got).toEqual(["data", "confirmed", "forgotten"]);
  });
});

describe("an upload's packets", () => {
  it("keep their order when they come faster than they are written", async () => {
    const { stream, got, path } = await uploadStream();
    const expected: Buffer[] = [];
    for (let count = 0; count < 40; count++) {
      const bytes = Buffer.alloc(300_000, 1 + count);
      expected.push(bytes, Buffer.alloc(100_000));
      stream.receive(dataPacket(bytes));
      stream.receive(holePacket(100_000n));
    }
    expect(stream.backlogBytes).toBeGreaterThan(10 * MIB);
    expect(stream.keepsPackets).toBe(true);
    stream.receive(finish);
    await expect.poll(() => got, { timeout: 20_000 }).toEqual(["confirmed", "forgotten"]);
    expect(readFileSync(path).equals(Buffer.concat(expected))).toBe(true);
    expect([stream.backlogBytes, stream.keepsPackets]).toEqual([0, false]);
  });
});

describe("a download's bytes", () => {
  it("stay as they are until they have left, and lie in two buffers in turn", async () => {
    const { file, path, transfer, endings } = await opened();
    const content = randomBytes(6 * MIB);
    await file.write(0n, content);
    const download = new Download(file, { offsetBytes: 0n, lengthBytes: 0n, sparse: false }, transfer);
    const { wire } = clientEnd();
    const left: Buffer[] = [];
    const memory = new Set<ArrayBufferLike>();
    const slow = async (bytes: Uint8Array): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      left.push(Buffer.from(bytes));
      memory.add(bytes.buffer);
    };
    new DownloadStream(download, { ...wire, data: slow }).start();
    await expect.poll(() => endings).toEqual([null]);
    expect(Buffer.concat(left).equals(readFileSync(path))).toBe(true);
    expect(memory.size).toBe(2);
  });

  it("are let go when the client took them, or is gone", async () => {
    await using ends = await connected();
    const outbox = new Outbox(ends.server, () => {});
    const wire = packetWire(packet(MessageStatus.OK), outbox, { forget() {}, disconnect() {} });
    const states: string[] = [];
    const send = (name: string): void => void wire.data(Buffer.alloc(4 * MIB)).then(() => states.push(name));
    send("first");
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    expect(states).toEqual([]);
    ends.client.on("data", () => {});
    await expect.poll(() => states).toEqual(["first"]);
    ends.client.pause();
    send("second");
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    ends.client.destroy();
    await expect.poll(() => states).toEqual(["first", "second"]);
    send("third");
    await expect.poll(() => states).toEqual(["first", "second", "third"]);
  });
});

describe("a plain download", () => {
  it("gives holes as zeros, in packets as full as those of data", async () => {
    const { file, path, transfer } = await opened(8 * MIB);
    await file.write(BigInt(3 * MIB + 5), Buffer.from("data"));
    const download = new Download(file, { offsetBytes: 1n, lengthBytes: 0n, sparse: false }, transfer);
    const parts: Uint8Array[] = [];
    for (let part = await download.next(); part?.kind === "data"; part = await download.next()) {
      parts.push(Buffer.from(part.bytes));
    }
    await download.close();
    expect(Buffer.concat(parts).equals(readFileSync(path).subarray(1))).toBe(true);
    expect(parts.slice(0, -1).every(({ length }) => length === 4 * 262_120)).toBe(true);
  });
});
