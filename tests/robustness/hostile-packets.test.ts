import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FrameDecoder, MessageStatus, MessageType, procedures } from "@cistern/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { byEffort } from "../support/effort.js";
import { readRecordings } from "../vectors/recordings.js";
import { RawClient } from "../wire/raw-client.js";
import { mutated, randomNumbers } from "./mutation.js";
import { Siege } from "./siege.js";

const SEED = 20_260_802;
const CONNECTIONS = 50;
const PACKETS = byEffort({ fast: 100, normal: 400, long: 10_000 });
const LAST_REPLIES_MS = 20_000;
/** Share of packets that stay as they were recorded. */
const UNCHANGED = 0.3;
const ANSWERED_MS = 1_000;

let siege: Siege;
beforeAll(async () => {
  siege = await Siege.lay();
});
afterAll(() => siege?.raise());

describe("packets that are nearly right", () => {
  it(`${CONNECTIONS} connections with ${PACKETS} each`, { timeout: 600_000 }, async () => {
    const packets = recordedCalls();
    expect(packets.length).toBeGreaterThan(200);
    const answered = { fulfilled: 0, refused: 0 };
    const attack = async (seed: number): Promise<void> => {
      const random = randomNumbers(seed);
      let client = await RawClient.open(siege.daemon.socket);
      const count = (): number => {
        const replies = client.takeAll().filter(({ type }) => type === MessageType.REPLY);
        for (const { status } of replies) answered[status === MessageStatus.OK ? "fulfilled" : "refused"]++;
        return replies.length;
      };
      for (let sent = 0; sent < PACKETS; sent++) {
        if (client.closed) client = await RawClient.open(siege.daemon.socket);
        const packet = packets[Math.floor(random() * packets.length)];
        if (packet === undefined) throw new Error("no packet");
        client.send(random() < UNCHANGED ? packet : mutated(packet, random));
        if (random() < 0.3) await sleep(1);
        count();
      }
      const deadline = performance.now() + LAST_REPLIES_MS;
      do await sleep(500);
      while (count() > 0 && performance.now() < deadline);
      client.close();
    };
    const attacks = Promise.all(Array.from({ length: CONNECTIONS }, (_, index) => attack(SEED + index)));
    let done = false;
    void attacks.finally(() => {
      done = true;
    });
    const prepare = async (): Promise<void> => {
      while (!done) {
        await preparePool();
        await sleep(20);
      }
    };
    const slowestMs = await siege.slowestMs(Promise.all([attacks, prepare()]));
    // The attack reaches the handlers, and what is behind them.
    expect(answered.refused).toBeGreaterThan((CONNECTIONS * PACKETS) / 10);
    expect(answered.fulfilled).toBeGreaterThan((CONNECTIONS * PACKETS) / 20);
    expect(slowestMs).toBeLessThan(ANSWERED_MS);
    const { peakBytes } = await siege.daemon.memory();
    expect(peakBytes).toBeLessThan(512 * 1024 * 1024);
    await siege.lift();
    const [slowest, peak] = [Math.round(slowestMs), Math.round(peakBytes / 1024 / 1024)];
    const outcome = `${answered.fulfilled} fulfilled, ${answered.refused} refused`;
    console.log(`mutated packets: ${outcome}; other calls took at most ${slowest} ms, ${peak} MiB`);
  });
});

/** What the recorded packets name. Some of them undo it again, at any moment. */
async function preparePool(): Promise<void> {
  const path = join(siege.daemon.root, "vec");
  const xml = `<pool type='dir'><name>vec</name><uuid>5e7a1f00-1111-2222-3333-444455556666</uuid>
    <target><path>${path}</path></target></pool>`;
  const undone = (): void => {};
  const pool = await siege.normal.definePool(xml).catch(() => null);
  await pool?.build().catch(undone);
  await pool?.start().catch(undone);
  for (const name of ["v.raw", "w.raw", "q.qcow2"]) {
    await pool?.createVolume(`<volume><name>${name}</name><capacity>1048576</capacity></volume>`).catch(undone);
  }
}

/**
 * Definitions of pools are left out: mutated paths would lead out of the daemon's own directory. So are the calls about guests,
 * which lead nowhere in it.
 */
function recordedCalls(): Uint8Array[] {
  const { storagePoolDefineXml, storagePoolCreateXml, connectClose } = procedures;
  const unwanted = new Set<number>([storagePoolDefineXml.number, storagePoolCreateXml.number, connectClose.number]);
  const packets = [...readRecordings()].flatMap(([file, recorded]) => (file === "domains.json" ? [] : recorded));
  return packets.flatMap(({ bytes, direction }) => {
    if (bytes === null || direction !== "client->server") return [];
    const [frame] = new FrameDecoder().push(bytes);
    return frame === undefined || unwanted.has(frame.procedure) ? [] : [bytes];
  });
}
