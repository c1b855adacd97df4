import { setTimeout as sleep } from "node:timers/promises";
import {
  connect,
  encodeCall,
  encodeKeepalive,
  Keepalive,
  keepaliveKind,
  MessageStatus,
  storage,
} from "@cistern/protocol";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { RawClient } from "../wire/raw-client.js";
import { startedPool } from "./directory-pool.js";
import { cannotHang, HangingMount } from "./hanging-mount.js";
import { PrivateDaemon } from "./private-daemon.js";

const INTERVAL_MS = 1_000;
const COUNT = 2;
/** Silence after which a client is given up: the interval in which it last spoke, and one for each question. */
const GIVEN_UP_MS = INTERVAL_MS * (COUNT + 2);
const SLOW_MS = 2_500;
const HUNG_SECONDS = 5;

let daemon: PrivateDaemon;
let client: RawClient;

beforeAll(async () => {
  const settings = [
    `keepalive_interval = ${INTERVAL_MS / 1000}`,
    `keepalive_count = ${COUNT}`,
    "max_client_requests = 1",
    `remote_storage_timeout = ${HUNG_SECONDS}`,
  ];
  daemon = await PrivateDaemon.start(`${settings.join("\n")}\n`);
});
afterAll(() => daemon?.close());
beforeEach(async () => {
  client = await RawClient.open(daemon.socket);
});
afterEach(() => client?.close());

async function negotiate(): Promise<void> {
  expect(await client.request(connect.connectSupportsFeature, { feature: 10 })).toEqual({ supported: 1 });
}

/** Packets of a time, with an answer to each ping if wanted. */
async function pingsWithin(timeMs: number, answering: boolean): Promise<number> {
  const until = performance.now() + timeMs;
  let pings = 0;
  while (performance.now() < until && !client.closed) {
    await sleep(20);
    for (const frame of client.takeAll()) {
      expect(keepaliveKind(frame)).toBe(Keepalive.PING);
      pings++;
      if (answering) client.send(encodeKeepalive(Keepalive.PONG));
    }
  }
  return pings;
}

describe("a client that said it answers pings", () => {
  it("and is silent is asked as often as configured, and then given up", async () => {
    await negotiate();
    const startedAt = performance.now();
    expect(await pingsWithin(GIVEN_UP_MS + SLOW_MS, false)).toBe(COUNT);
    expect(client.closed).toBe(true);
    expect(performance.now() - startedAt).toBeGreaterThan(INTERVAL_MS * COUNT);
    expect(performance.now() - startedAt).toBeLessThan(GIVEN_UP_MS + SLOW_MS);
  });

  it("and answers stays", async () => {
    await negotiate();
    expect(await pingsWithin(GIVEN_UP_MS + INTERVAL_MS, true)).toBeGreaterThan(1);
    expect(client.closed).toBe(false);
  });

  it.skipIf(cannotHang !== null)("is not given up while the daemon has its hands full with its calls", async () => {
    const mount = await HangingMount.open();
    const admin = await daemon.connect();
    try {
      const pool = await startedPool(admin, "hanging", mount.path);
      await negotiate();
      mount.hang();
      client.send(encodeCall(storage.storagePoolRefresh, 100, { pool: pool.reference, flags: 0 }));
      const startedAt = performance.now();
      for (;;) {
        const frame = await client.next((HUNG_SECONDS + 10) * 1000);
        if (frame === null) throw new Error("the client was given up");
        if (keepaliveKind(frame) === Keepalive.PING) continue;
        expect(frame).toMatchObject({ serial: 100, status: MessageStatus.ERROR });
        break;
      }
      expect(performance.now() - startedAt).toBeGreaterThan(GIVEN_UP_MS);
    } finally {
      await mount.close();
    }
  });

  it("and leaves its replies unread is given up", async () => {
    await negotiate();
    client.socket.pause();
    const call = encodeCall(storage.connectGetStoragePoolCapabilities, 100, { flags: 0 });
    const sockets = async (): Promise<number> =>
      (await daemon.descriptors()).filter((target) => target.startsWith("socket:")).length;
    const before = await sockets();
    client.send(Buffer.concat(Array.from({ length: 50_000 }, () => call)));
    await sleep(GIVEN_UP_MS + 2 * SLOW_MS);
    expect(await sockets()).toBe(before - 1);
  });
});

describe("a client that did not", () => {
  it("is left alone", async () => {
    await client.request(connect.connectSupportsFeature, { feature: 14 });
    expect(await pingsWithin(GIVEN_UP_MS, false)).toBe(0);
    expect(client.closed).toBe(false);
  });

  it("is answered when it pings, before anything else was said too", async () => {
    const fresh = await RawClient.connect(daemon.socket);
    fresh.send(encodeKeepalive(Keepalive.PING));
    const frame = await fresh.next();
    expect(frame === null ? null : keepaliveKind(frame)).toBe(Keepalive.PONG);
    fresh.close();
  });
});
