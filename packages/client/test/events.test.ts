import { domains, encodeEvent, encodeReply, events, storage } from "@cistern/protocol";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Connection, Pool } from "../dist/index.js";
import { connectScripted } from "./scripted-connection.js";
import type { ScriptedServer } from "./scripted-server.js";

const pool = { name: "p", uuid: "5e7a1f00-1111-2222-3333-444455556666" };

let server: ScriptedServer;
let connection: Connection;
let registrations: unknown[];
let deregistered: number[];

beforeEach(async () => {
  ({ server, connection } = await connectScripted());
  registrations = [];
  deregistered = [];
  server.on(storage.connectStoragePoolEventRegisterAny, (args) => ({ callbackID: registrations.push(args) - 1 }));
  server.on(storage.connectStoragePoolEventDeregisterAny, ({ callbackID }) => void deregistered.push(callbackID));
});
afterEach(() => connection.close());

const lifecycle = (callbackID: number, event: number) =>
  encodeEvent(events.storagePoolEventLifecycle, { callbackID, pool, event, detail: 0 });
const refresh = (callbackID: number) => encodeEvent(events.storagePoolEventRefresh, { callbackID, pool });

it("come in order, from both registrations, and leaving the loop ends them", async () => {
  const iterator = await connection.poolEvents();
  expect(registrations).toEqual([
    { eventID: 0, pool: null },
    { eventID: 1, pool: null },
  ]);
  server.send(lifecycle(0, 0), lifecycle(0, 2), refresh(1), lifecycle(0, 99), lifecycle(0, 1));
  const kinds: string[] = [];
  for await (const event of iterator) {
    expect(event.pool).toEqual(pool);
    kinds.push(event.kind);
    if (event.kind === "undefined") break;
  }
  expect(kinds).toEqual(["defined", "started", "refreshed", "unknown", "undefined"]);
  expect(deregistered.sort()).toEqual([0, 1]);
});

it("are asked for one pool alone", async () => {
  const iterator = await connection.poolEvents(new Pool(connection, pool));
  expect(registrations).toEqual([
    { eventID: 0, pool },
    { eventID: 1, pool },
  ]);
  await iterator.return?.();
});

it("are not missed when they stand right behind the reply of their registration", async () => {
  server.on(storage.connectStoragePoolEventRegisterAny, ({ eventID }, frame) => {
    const reply = encodeReply(frame, storage.connectStoragePoolEventRegisterAny, { callbackID: 40 + eventID });
    server.send(reply, eventID === 0 ? lifecycle(40, 2) : refresh(41));
    return null;
  });
  const iterator = await connection.poolEvents();
  expect((await iterator.next()).value.kind).toBe("started");
  expect((await iterator.next()).value.kind).toBe("refreshed");
  await iterator.return?.();
});

it("go to their own subscriber", async () => {
  const first = await connection.poolEvents();
  const second = await connection.poolEvents();
  server.send(lifecycle(2, 3), lifecycle(0, 2), lifecycle(77, 2));
  expect((await first.next()).value.kind).toBe("started");
  expect((await second.next()).value.kind).toBe("stopped");
  await first.return?.();
  await second.return?.();
});

it("end in an error when the connection ends, after those that came before", async () => {
  const iterator = await connection.poolEvents();
  server.send(lifecycle(0, 2));
  server.end();
  expect((await iterator.next()).value.kind).toBe("started");
  await expect(iterator.next()).rejects.toThrow("The server closed the connection");
});

it("whose reader is far behind end in an error instead of a gap", async () => {
  const iterator = await connection.poolEvents();
  server.send(Buffer.concat(Array.from({ length: 10_001 }, () => refresh(1))));
  // A call behind them: when it is answered all of them are there.
  await connection.poolEvents().then((other) => other.return?.());
  for (let taken = 0; taken < 10_000; taken++) await iterator.next();
  await expect(iterator.next()).rejects.toMatchObject({ code: 82 });
  // A loop calls no return() after an error: the server forgets them all the same.
  await expect.poll(() => deregistered.toSorted().slice(0, 2), { timeout: 2_000 }).toEqual([0, 1]);
  await iterator.return?.();
  expect(deregistered.filter((id) => id < 2)).toEqual([0, 1]);
});

it("are left without an error when the connection ends over it", async () => {
  const iterator = await connection.poolEvents();
  server.on(storage.connectStoragePoolEventDeregisterAny, () => {
    server.end();
    return null;
  });
  expect(await iterator.return?.()).toEqual({ value: undefined, done: true });
});

it("of guests that a newer server tells about are there, and called unknown", async () => {
  const dom = { name: "g", uuid: pool.uuid, id: 7 };
  const asked: number[] = [];
  server.on(domains.connectDomainEventCallbackRegisterAny, ({ eventID }) => {
    asked.push(eventID);
    return { callbackID: eventID };
  });
  server.on(domains.connectDomainEventCallbackDeregisterAny, ({ callbackID }) => void deregistered.push(callbackID));
  const iterator = await connection.domainEvents({ kinds: ["lifecycle", "device-removal-failed", "lifecycle"] });
  expect(asked).toEqual([0, 22]);
  server.send(
    encodeEvent(events.domainEventCallbackLifecycle, { callbackID: 0, dom, event: 99, detail: 0 }),
    encodeEvent(events.domainEventCallbackLifecycle, { callbackID: 0, dom, event: 5, detail: 99 }),
    encodeEvent(events.domainEventCallbackDeviceAdded, { callbackID: 0, dom, devAlias: "not asked for" }),
    encodeEvent(events.domainEventCallbackDeviceRemovalFailed, { callbackID: 22, dom, devAlias: "virtio-disk1" }),
  );
  const seen: unknown[] = [];
  for await (const { domain, ...what } of iterator) {
    expect([domain.name, domain.uuid, domain.id]).toEqual(["g", pool.uuid, 7]);
    if (seen.push(what) === 3) break;
  }
  expect(seen).toEqual([
    { kind: "lifecycle", change: "unknown", reason: "unknown" },
    { kind: "lifecycle", change: "stopped", reason: "unknown" },
    { kind: "device-removal-failed", alias: "virtio-disk1" },
  ]);
  expect(deregistered.sort()).toEqual([0, 22]);
});
