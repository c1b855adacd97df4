import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeCall, encodeKeepalive, Keepalive, storage } from "@cistern/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { closed, Siege } from "./siege.js";

const GIB = 1024 * 1024 * 1024;
const PIPELINED = 10_000;
const FILES = 300;
/** A client that behaves is answered within this, whatever the others do. */
const ANSWERED_MS = 1_000;

let siege: Siege;
beforeAll(async () => {
  siege = await Siege.lay();
  const path = join(siege.daemon.root, "calm");
  for (let index = 0; index < FILES; index++) await writeFile(join(path, `file-${index}`), "content");
  await truncate(join(path, "file-0"), GIB);
  await siege.pool.refresh();
});
afterEach(() => siege?.lift());
afterAll(() => siege?.raise());

describe("a client that does not read", () => {
  it(`gets ${PIPELINED} replies later; the daemon does not hold them meanwhile`, { timeout: 120_000 }, async () => {
    const client = await siege.attacker();
    client.socket.pause();
    const args = { pool: siege.pool.reference, need_results: 1, flags: 0 };
    const cost = await siege.costMiB(async () => {
      for (let serial = 0; serial < PIPELINED; serial++) {
        client.send(encodeCall(storage.storagePoolListAllVolumes, serial, args));
      }
      expect(await siege.slowestMs(sleep(2_000))).toBeLessThan(ANSWERED_MS);
    });
    expect(cost).toBeLessThan(100);
    client.socket.resume();
    const serials = new Set<number>();
    let bytes = 0;
    for (let count = 0; count < PIPELINED; count++) {
      const reply = await client.next();
      serials.add(reply?.serial ?? -1);
      bytes += reply?.payload.length ?? 0;
    }
    expect(serials.size).toBe(PIPELINED);
    // Far more than it may have cost.
    expect(bytes).toBeGreaterThan(180 * 1024 * 1024);
  });

  it("and pings without end is not answered without end", async () => {
    const client = await siege.attacker();
    client.socket.pause();
    const pings = Buffer.concat(Array.from({ length: 100_000 }, () => encodeKeepalive(Keepalive.PING)));
    const cost = await siege.costMiB(async () => {
      for (let count = 0; count < 20; count++) client.send(pings);
      expect(await siege.slowestMs(sleep(1_000))).toBeLessThan(ANSWERED_MS);
    });
    expect(cost).toBeLessThan(150);
  });

  it("does not make the daemon read the volumes that it downloads", async () => {
    const cost = await siege.costMiB(async () => {
      const clients = await Promise.all(Array.from({ length: 20 }, () => siege.attacker()));
      for (const client of clients) {
        await client.stream("download", { pool: "calm", name: "file-0" });
        client.socket.pause();
      }
      expect(await siege.slowestMs(sleep(1_000))).toBeLessThan(ANSWERED_MS);
    });
    expect(cost).toBeLessThan(150);
  });

  it("but asks for floods of events is given up", { timeout: 120_000 }, async () => {
    const client = await siege.attacker();
    const register = storage.connectStoragePoolEventRegisterAny;
    for (let count = 0; count < 4_000; count++) await client.request(register, { eventID: 0, pool: null });
    client.socket.pause();
    let slowestMs = 0;
    const cost = await siege.costMiB(async () => {
      // Each makes 4,000 events of some 100 bytes; 128 MiB are 500 such calls.
      for (let count = 0; count < 600; count++) {
        const startedAt = performance.now();
        await siege.normal.definePool(
          `<pool type='dir'><name>calm</name><uuid>${siege.pool.reference.uuid}</uuid><target><path>${siege.daemon.root}/calm</path></target></pool>`,
        );
        slowestMs = Math.max(slowestMs, performance.now() - startedAt);
      }
    });
    client.socket.resume();
    await closed(client);
    console.log(`events unread: ${cost} MiB, ${Math.round(slowestMs)} ms`);
    expect(slowestMs).toBeLessThan(ANSWERED_MS);
    expect(cost).toBeLessThan(600);
  });
});

describe("an upload", () => {
  // Each into a file of its own: the lease of an attacker that was just driven away may not have ended.
  it.each([
    ["holes", "file-1"],
    ["single bytes", "file-2"],
  ])("of %s without end waits for its turn", { timeout: 120_000 }, async (what, name) => {
    const client = await siege.attacker();
    const stream = await client.stream("upload", { pool: "calm", name }, { sparse: true });
    const count = 200_000;
    const cost = await siege.costMiB(async () => {
      for (let sent = 0; sent < count; sent++) what === "holes" ? stream.hole(1n) : stream.data("x");
      expect(await siege.slowestMs(sleep(1_000))).toBeLessThan(ANSWERED_MS);
    });
    expect(cost).toBeLessThan(100);
  });
});
