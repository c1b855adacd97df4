import { setTimeout as sleep } from "node:timers/promises";
import {
  cistern,
  cisternEvents,
  decodeError,
  encodeCall,
  encodeFrame,
  MessageStatus,
  MessageType,
  PROGRAM,
  PROGRAM_VERSION,
} from "@cistern/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { byEffort } from "../support/effort.js";
import { RawClient } from "../wire/raw-client.js";
import { mutated, randomNumbers } from "./mutation.js";
import { closed, Siege } from "./siege.js";

const SEED = 20_261_125;
const CONNECTIONS = 20;
const PACKETS = byEffort({ fast: 100, normal: 400, long: 10_000 });
/** Share of packets that stay as they are. */
const UNCHANGED = 0.3;
/** Every job is told to many watches meanwhile, in the process that also runs the attackers. */
const ANSWERED_MS = 2_000;
const LAST_REPLIES_MS = 20_000;

let siege: Siege;
beforeAll(async () => {
  siege = await Siege.lay();
});
afterAll(() => siege?.raise());

describe("packets of Cistern's own program", () => {
  it(`that are nearly right, ${CONNECTIONS} connections with ${PACKETS} each, while jobs come and go`, {
    timeout: 600_000,
  }, async () => {
    const calls = ownCalls();
    const answered = { fulfilled: 0, refused: 0, told: 0 };
    const attack = async (seed: number): Promise<void> => {
      const random = randomNumbers(seed);
      let client = await RawClient.open(siege.daemon.socket);
      const count = (): number => {
        const frames = client.takeAll();
        const replies = frames.filter(({ type }) => type === MessageType.REPLY);
        for (const { status } of replies) answered[status === MessageStatus.OK ? "fulfilled" : "refused"]++;
        answered.told += frames.filter(({ type }) => type === MessageType.MESSAGE).length;
        return replies.length;
      };
      for (let sent = 0; sent < PACKETS; sent++) {
        if (client.closed) client = await RawClient.open(siege.daemon.socket);
        const packet = calls[Math.floor(random() * calls.length)] ?? new Uint8Array();
        client.send(random() < UNCHANGED ? packet : mutated(packet, random));
        if (random() < 0.3) await sleep(1);
        count();
      }
      const deadline = performance.now() + LAST_REPLIES_MS;
      do await sleep(500);
      while (count() > 0 && performance.now() < deadline);
      client.close();
    };
    let done = false;
    const attacks = Promise.all(Array.from({ length: CONNECTIONS }, (_, index) => attack(SEED + index))).finally(() => {
      done = true;
    });
    const work = async (): Promise<void> => {
      while (!done) {
        // Either may be cancelled by an attacker, which is what they may do.
        await siege.pool.createVolume("<volume><name>v</name><capacity>65536</capacity></volume>").catch(() => {});
        await sleep(20);
        await siege.pool
          .lookupVolume("v")
          .then(
            (volume) => volume.delete(),
            () => {},
          )
          .catch(() => {});
      }
    };
    const slowestMs = await siege.slowestMs(Promise.all([attacks, work()]));
    // The attack reaches the handlers, and the jobs behind them.
    expect(answered.refused).toBeGreaterThan((CONNECTIONS * PACKETS) / 10);
    expect(answered.fulfilled).toBeGreaterThan((CONNECTIONS * PACKETS) / 50);
    expect(answered.told).toBeGreaterThan(0);
    expect(slowestMs).toBeLessThan(ANSWERED_MS);
    expect(await siege.normal.listJobs()).toEqual([]);
    await siege.lift();
    const outcome = `${answered.fulfilled} fulfilled, ${answered.refused} refused, ${answered.told} events`;
    console.log(`own program: ${outcome}; other calls took at most ${Math.round(slowestMs)} ms`);
  });

  it("in another version, or of another number, are refused and the connection lives", async () => {
    const client = await siege.attacker();
    for (const [changes, message] of [
      [{ version: 2 }, "Cannot find program 1130984308 version 2"],
      [{ program: PROGRAM.CISTERN + 1 }, "Cannot find program 1130984309 version 1"],
      [{ procedure: 9 }, "unknown procedure: 9"],
      [{ procedure: -1 }, "unknown procedure: -1"],
      [{ procedure: cistern.jobGet.number }, "Unable to decode message payload"],
    ] as const) {
      const header = { program: PROGRAM.CISTERN, version: PROGRAM_VERSION, procedure: 1, serial: 900, ...changes };
      client.send(encodeFrame({ ...header, type: MessageType.CALL, status: 0, payload: new Uint8Array(4) }));
      const frame = await client.next();
      if (frame === null) throw new Error("the connection was closed");
      expect(frame).toMatchObject({ ...header, type: MessageType.REPLY, status: MessageStatus.ERROR });
      expect(decodeError(frame)).toMatchObject({ domain: 7, message });
    }
    expect(await client.request(cistern.jobList, { flags: 0 })).toEqual({ jobs: [] });
    await expect(client.request(cistern.jobList, { flags: 6 })).rejects.toThrow(
      "unsupported flags (0x6) in function cisternJobList",
    );
  });

  it("that are no calls mean nothing, and data on a stream that never was neither", async () => {
    const client = await siege.attacker();
    for (const type of [MessageType.REPLY, MessageType.MESSAGE, MessageType.STREAM, MessageType.STREAM_HOLE]) {
      const header = { program: PROGRAM.CISTERN, version: PROGRAM_VERSION, procedure: 3, serial: 5, status: 0 };
      client.send(encodeFrame({ ...header, type, payload: new Uint8Array(64) }));
    }
    expect(await client.request(cistern.jobList, { flags: 0 })).toEqual({ jobs: [] });
  });

  it("that ask for more watches than anybody needs are refused, and those granted end with the connection", async () => {
    const client = await siege.attacker();
    const limit = 64;
    for (let count = 0; count < limit; count++) await client.request(cistern.jobWatch, { id: 0n });
    await expect(client.request(cistern.jobWatch, { id: 0n })).rejects.toThrow(
      `a client may watch jobs at most ${limit} times at once`,
    );
    await siege.pool.createVolume("<volume><name>w</name><capacity>65536</capacity></volume>");
    for (let count = 0; count < limit; count++) {
      const frame = await client.next();
      expect(frame).toMatchObject({ type: MessageType.MESSAGE, procedure: cisternEvents.jobEvent.number, serial: 0 });
    }
    client.close();
    await closed(client);
    await siege.lift();
  });
});

/** One of each call, and some that make sense only with jobs that are there. */
function ownCalls(): Uint8Array[] {
  const pool = { name: "calm", uuid: siege.pool.uuid };
  return [
    encodeCall(cistern.jobList, 1, { flags: 0 }),
    encodeCall(cistern.jobList, 2, { flags: 1 }),
    ...[1n, 2n, 20n, 200n].map((id) => encodeCall(cistern.jobGet, 3, { id })),
    ...[0n, 0n, 1n, 30n].map((id) => encodeCall(cistern.jobWatch, 4, { id })),
    ...[1, 2, 3, 50].map((watchID) => encodeCall(cistern.jobUnwatch, 5, { watchID })),
    ...[1n, 5n, 100n].map((id) => encodeCall(cistern.jobCancel, 6, { id })),
    ...[0n, 1n, 2n ** 64n - 1n].map((bytesPerSecond) =>
      encodeCall(cistern.jobSetBandwidth, 7, { id: 1n, bytesPerSecond }),
    ),
    encodeCall(cistern.poolGetCommitment, 8, { pool }),
    encodeCall(cistern.volumeInspect, 9, { vol: { pool: "calm", name: "v", key: "" } }),
  ];
}
