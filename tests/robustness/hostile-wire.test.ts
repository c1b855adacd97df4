import { setTimeout as sleep } from "node:timers/promises";
import {
  encodeCall,
  encodeFrame,
  LIMITS,
  MessageType,
  PROGRAM,
  PROGRAM_VERSION,
  procedures,
  storage,
} from "@cistern/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { RawClient } from "../wire/raw-client.js";
import { randomBytes, randomNumbers } from "./mutation.js";
import { closed, Siege } from "./siege.js";

const MIB = 1024 * 1024;
const SEED = 20_260_802;
const CONNECTIONS = 50;
const MAX_CLIENTS = 150;
/** A client that behaves is answered within this, whatever the others do. */
const ANSWERED_MS = 1_000;

let siege: Siege;
beforeAll(async () => {
  siege = await Siege.lay(`max_clients = ${MAX_CLIENTS}\n`);
});
afterEach(() => siege?.lift());
afterAll(() => siege?.raise());

const lookup = (name = "calm"): Uint8Array => encodeCall(storage.storagePoolLookupByName, 0, { name });

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

describe("bytes that are no packets", () => {
  it.each([
    ["random bytes", Buffer.concat([word(0xff00_0000), randomBytes(randomNumbers(SEED), MIB)])],
    ["a length of 0", word(0)],
    ["a length without a header", word(LIMITS.headerBytes - 1)],
    ["a length over the limit", word(LIMITS.packetBytes + LIMITS.lengthWordBytes + 1)],
    ["text", Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")],
  ])("%s end the connection", async (_what, bytes) => {
    const client = await siege.attacker();
    client.send(bytes);
    await closed(client);
  });

  it("half a packet and then the end close the connection", async () => {
    const client = await siege.attacker();
    client.send(lookup().subarray(0, 33));
    client.socket.end();
    await closed(client);
  });

  it("packets with file descriptors end the connection; packets that are not for servers mean nothing", async () => {
    const header = { program: PROGRAM.REMOTE, version: PROGRAM_VERSION, procedure: 84, serial: 5, status: 0 };
    const packet = (type: number): Uint8Array => encodeFrame({ ...header, type, payload: new Uint8Array(8) });
    const client = await siege.attacker();
    for (const type of [MessageType.REPLY, MessageType.MESSAGE, MessageType.REPLY_WITH_FDS, 7, -1]) {
      client.send(packet(type));
    }
    await client.request(procedures.connectGetUri, undefined);
    client.send(packet(MessageType.CALL_WITH_FDS));
    await closed(client);
  });

  it(`${CONNECTIONS} packets of 32 MiB that never come cost next to nothing`, async () => {
    const cost = await siege.costMiB(async () => {
      const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => siege.attacker()));
      for (const client of clients) client.send(word(LIMITS.packetBytes), Buffer.alloc(100));
      expect(await siege.slowestMs(sleep(500))).toBeLessThan(ANSWERED_MS);
    });
    expect(cost).toBeLessThan(64);
  });

  it("a packet that comes byte by byte is understood", async () => {
    const client = await RawClient.connect(siege.daemon.socket);
    siege.adopt([client]);
    client.socket.setNoDelay(true);
    for (const byte of encodeCall(procedures.connectOpen, 0, { name: "storage:///system", flags: 0 })) {
      client.send(Uint8Array.of(byte));
      await sleep(1);
    }
    expect(await client.next()).toMatchObject({ type: MessageType.REPLY, status: 0 });
  });
});

describe("connections", () => {
  it(`beyond ${MAX_CLIENTS} are refused, and taken again when others have left`, async () => {
    const count = 2 * MAX_CLIENTS;
    const clients = await Promise.all(Array.from({ length: count }, () => RawClient.connect(siege.daemon.socket)));
    siege.adopt(clients);
    expect(await siege.slowestMs(sleep(500))).toBeLessThan(ANSWERED_MS);
    // One is the client that behaves.
    expect(clients.filter((client) => !client.closed).length).toBe(MAX_CLIENTS - 1);
    await siege.lift();
    await siege.attacker();
  });

  it("that only speak and never listen are left to the end they asked for", async () => {
    const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => siege.attacker()));
    for (const client of clients) {
      client.send(lookup());
      client.socket.end();
    }
    await Promise.all(clients.map(closed));
  });

  it("that come and go at once leave nothing behind", async () => {
    const flood = async (): Promise<void> => {
      for (let round = 0; round < 15; round++) {
        const clients = await Promise.all(
          Array.from({ length: CONNECTIONS }, () => RawClient.connect(siege.daemon.socket)),
        );
        for (const client of clients) {
          client.send(lookup());
          client.close();
        }
      }
    };
    expect(await siege.slowestMs(flood())).toBeLessThan(ANSWERED_MS);
  });
});
