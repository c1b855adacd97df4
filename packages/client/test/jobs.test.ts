import {
  cistern,
  cisternEvents,
  encodeCall,
  encodeError,
  encodeEvent,
  encodeReply,
  LibvirtError,
  MessageType,
  storage,
  type WireInspection,
  type WireJob,
} from "@cistern/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Connection, Pool, Volume } from "../dist/index.js";
import { connectScripted } from "./scripted-connection.js";
import type { ScriptedServer } from "./scripted-server.js";

const wire: WireJob = {
  id: 7n,
  kind: 4,
  state: 1,
  pool: "images",
  volume: "a.img",
  source: null,
  title: "wipe volume 'a.img' of pool 'images'",
  requester: { door: 0, userId: 0, processId: null, client: 3n },
  created: 1_800_000_000_123_456n,
  started: 1_800_000_001_000_000n,
  ended: 0n,
  doneBytes: 10n,
  totalBytes: 100n,
  bytesPerSecond: 5n,
  remainingSeconds: 18n,
  bandwidthBytesPerSecond: 0n,
  way: null,
  remarks: [],
  error: null,
};
const ended: WireJob = { ...wire, state: 3, ended: 1_800_000_002_000_000n };
const pool = { name: "images", uuid: "5e7a1f00-1111-2222-3333-444455556666" };

let server: ScriptedServer;
let connection: Connection;
let unwatched: number[];

beforeEach(async () => {
  ({ server, connection } = await connectScripted());
  unwatched = [];
  server.on(cistern.jobUnwatch, ({ watchID }) => void unwatched.push(watchID));
});
afterEach(() => connection.close());

const event = (watchID: number, job: WireJob) => encodeEvent(cisternEvents.jobEvent, { watchID, job });

describe("jobs", () => {
  it("are listed, those that ended only when asked for", async () => {
    const flags: number[] = [];
    server.on(cistern.jobList, (args) => {
      flags.push(args.flags);
      return { jobs: [ended, wire] };
    });
    const [first, second] = await connection.listJobs({ ended: true });
    await connection.listJobs();
    expect(flags).toEqual([1, 0]);
    expect(first).toMatchObject({ id: 7, state: "done", endedAt: new Date(1_800_000_002_000) });
    expect(second).toEqual({
      id: 7,
      kind: "wipe",
      state: "running",
      pool: "images",
      volume: "a.img",
      source: null,
      title: "wipe volume 'a.img' of pool 'images'",
      requester: { door: "rpc", userId: 0, processId: null, client: 3 },
      createdAt: new Date(1_800_000_000_123),
      startedAt: new Date(1_800_000_001_000),
      endedAt: null,
      doneBytes: 10n,
      totalBytes: 100n,
      bytesPerSecond: 5n,
      remainingSeconds: 18,
      bandwidthBytesPerSecond: null,
      way: null,
      remarks: [],
      error: null,
    });
  });

  it("of newer daemons have kinds and states that are unknown, and what is not known is null", async () => {
    server.on(cistern.jobGet, ({ id }) => ({
      job: {
        ...wire,
        id,
        kind: 99,
        state: -1,
        requester: { door: 7, userId: null, processId: null, client: 0n },
        started: 0n,
        totalBytes: 0n,
        remainingSeconds: -1n,
        bandwidthBytesPerSecond: 1000n,
      },
    }));
    expect(await connection.lookupJob(12)).toMatchObject({
      id: 12,
      kind: "unknown",
      state: "unknown",
      requester: { door: "unknown", client: null },
      startedAt: null,
      totalBytes: null,
      remainingSeconds: null,
      bandwidthBytesPerSecond: 1000n,
    });
  });

  it("are cancelled and limited", async () => {
    const asked: unknown[] = [];
    server.on(cistern.jobCancel, (args) => void asked.push(args));
    server.on(cistern.jobSetBandwidth, (args) => void asked.push(args));
    await connection.cancelJob(7);
    await connection.setJobBandwidth(7, 1_000n);
    await connection.setJobBandwidth(7, null);
    expect(asked).toEqual([{ id: 7n }, { id: 7n, bytesPerSecond: 1_000n }, { id: 7n, bytesPerSecond: 0n }]);
  });
});

describe("watching", () => {
  it("one job ends by itself when the job has ended, after all that came before", async () => {
    server.on(cistern.jobWatch, ({ id }, frame) => {
      expect(id).toBe(7n);
      // Right behind the reply, and for another watch in between.
      const reply = encodeReply(frame, cistern.jobWatch, { watchID: 40 });
      server.send(reply, event(40, { ...wire, doneBytes: 20n }), event(41, wire), event(40, ended), event(40, wire));
      return null;
    });
    const seen: string[] = [];
    for await (const job of await connection.watchJobs(7)) seen.push(`${job.state} ${job.doneBytes}`);
    expect(seen).toEqual(["running 20", "done 10"]);
    await server.packet(() => unwatched.length > 0);
    expect(unwatched).toEqual([40]);
  });

  it("all jobs goes on until the loop is left", async () => {
    server.on(cistern.jobWatch, ({ id }) => ({ watchID: 10 + Number(id) }));
    const jobs = await connection.watchJobs();
    server.send(event(10, ended), event(10, wire));
    expect((await jobs.next()).value.state).toBe("done");
    expect((await jobs.next()).value.state).toBe("running");
    await jobs.return?.();
    expect(unwatched).toEqual([10]);
  });

  it("does not mistake the numbers of watches for those of callbacks", async () => {
    server.on(cistern.jobWatch, () => ({ watchID: 5 }));
    server.on(storage.connectStoragePoolEventRegisterAny, () => ({ callbackID: 5 }));
    server.on(storage.connectStoragePoolEventDeregisterAny, () => undefined);
    const jobs = await connection.watchJobs();
    const pools = await connection.poolEvents();
    server.send(event(5, wire));
    expect((await jobs.next()).value.id).toBe(7);
    await pools.return?.();
    await jobs.return?.();
  });

  it("ends in an error when the connection ends", async () => {
    server.on(cistern.jobWatch, () => ({ watchID: 5 }));
    const jobs = await connection.watchJobs(7);
    server.end();
    await expect(jobs.next()).rejects.toThrow("The server closed the connection");
  });
});

it("what a pool has promised is told in bytes and ratios", async () => {
  const answers = [
    { capacity: 100n, promised: 250n, available: 3n, warnRatio: 1500, refuseRatio: 0 },
    { capacity: 100n, promised: 250n, available: 3n, warnRatio: 0, refuseRatio: 2250 },
  ];
  server.on(cistern.poolGetCommitment, (args) => {
    expect(args).toEqual({ pool });
    return answers.shift() ?? null;
  });
  const facts = { capacityBytes: 100n, promisedBytes: 250n, availableBytes: 3n };
  const found = new Pool(connection, pool);
  expect(await connection.poolCommitment(found)).toEqual({ ...facts, warnRatio: 1.5, refuseRatio: null });
  expect(await connection.poolCommitment(found)).toEqual({ ...facts, warnRatio: null, refuseRatio: 2.25 });
});

it("an autostart that failed says why, and when it is tried again", async () => {
  const error = { code: 38, domain: 18, message: "cannot open directory '/late': No such file or directory" };
  const failure = { attempts: 3, lastAttempt: 1_800_000_000_000_000n, nextAttempt: 1_800_000_008_000_000n, error };
  const answers = [{ failure }, { failure: { ...failure, nextAttempt: 0n } }, { failure: null }];
  server.on(cistern.poolGetAutostart, (args) => {
    expect(args).toEqual({ pool });
    return answers.shift() ?? null;
  });
  const found = new Pool(connection, pool);
  const facts = { attempts: 3, lastAttemptAt: new Date(1_800_000_000_000), error };
  expect(await connection.autostartFailure(found)).toEqual({ ...facts, nextAttemptAt: new Date(1_800_000_008_000) });
  expect(await connection.autostartFailure(found)).toEqual({ ...facts, nextAttemptAt: null });
  expect(await connection.autostartFailure(found)).toBeNull();
});

it("what is in a volume comes as it is", async () => {
  const inspection: WireInspection = { pool: "images", volume: "a.img", image: null, chain: [], isComplete: true };
  const reference = { pool: "images", name: "a.img", key: "/a.img" };
  server.on(cistern.volumeInspect, ({ vol }) => {
    expect(vol).toEqual(reference);
    return { inspection };
  });
  expect(await connection.inspectVolume(new Volume(connection, reference))).toEqual(inspection);
});

describe("a daemon that does not know the program", () => {
  const volume = { pool: "images", name: "a", key: "" };

  it.each([
    ["listing", () => connection.listJobs()],
    ["looking up", () => connection.lookupJob(1)],
    ["watching", () => connection.watchJobs()],
    ["cancelling", () => connection.cancelJob(1)],
    ["limiting", () => connection.setJobBandwidth(1, 1n)],
    ["asking what was promised", () => connection.poolCommitment(new Pool(connection, pool))],
    ["asking about autostart", () => connection.autostartFailure(new Pool(connection, pool))],
    ["inspecting", () => connection.inspectVolume(new Volume(connection, volume))],
  ])("is no Cistern daemon: %s", async (_what, call) => {
    for (const procedure of Object.values(cistern)) {
      server.on(procedure as typeof cistern.jobUnwatch, (_args, frame) => {
        server.send(encodeError(frame, LibvirtError.of(39, 7, "Cannot find program 1130984308 version 1")));
        return null;
      });
    }
    await expect(call()).rejects.toMatchObject({
      name: "LibvirtError",
      code: 3,
      message: "not a Cistern daemon: storage:///system does not know Cistern's own program",
    });
  });

  it("is not mistaken for one that refuses something else", async () => {
    server.on(cistern.jobCancel, () => {
      throw LibvirtError.of(8, 18, "no job with id 1");
    });
    await expect(connection.cancelJob(1)).rejects.toMatchObject({
      code: 8,
      message: "invalid argument: no job with id 1",
    });
  });
});

it("a reply in the name of another program ends the connection", async () => {
  server.on(cistern.jobList, (_args, frame) => {
    const reply = encodeCall(storage.storageVolDelete, frame.serial, {
      vol: { pool: "", name: "", key: "" },
      flags: 0,
    });
    // The same number and serial, but libvirt's program, as a reply.
    const view = new DataView(reply.buffer, reply.byteOffset);
    view.setInt32(12, cistern.jobList.number);
    view.setInt32(16, MessageType.REPLY);
    server.send(reply);
    return null;
  });
  await expect(connection.listJobs()).rejects.toThrow("The server sent what is not libvirt's protocol");
});
