import { domains, MessageType, storage } from "@cistern/protocol";
import { beforeEach, describe, expect, it } from "vitest";
import { type CallOptions, Connection, Domain, Pool, Secret, Volume, VolumeUses } from "../dist/index.js";
import { connectScripted } from "./scripted-connection.js";
import type { ScriptedServer } from "./scripted-server.js";

const uuid = "5e7a1f00-1111-2222-3333-444455556666";

let server: ScriptedServer;
let connection: Connection;

beforeEach(async () => {
  ({ server, connection } = await connectScripted());
  return () => connection.close();
});

const pool = (): Pool => new Pool(connection, { name: "p", uuid });
const volume = (): Volume => new Volume(connection, { pool: "p", name: "v", key: "/v" });
const secret = (): Secret => new Secret(connection, { uuid, usageType: 2, usageID: "s" });
const domain = (): Domain => new Domain(connection, { name: "d", uuid, id: -1 });

type Calls = Readonly<Record<string, (options: CallOptions) => Promise<unknown>>>;

/** Every method that asks the server something. */
const calls: readonly (readonly [of: { readonly prototype: object }, calls: Calls])[] = [
  [
    Connection,
    {
      call: (options) => connection.call(storage.storagePoolLookupByName, { name: "p" }, options),
      openStream: (options) => {
        const args = { vol: volume().reference, offset: 0n, length: 0n, flags: 0 };
        return connection.openStream(storage.storageVolDownload, args, options);
      },
      uri: (options) => connection.uri(options),
      hostname: (options) => connection.hostname(options),
      hypervisorType: (options) => connection.hypervisorType(options),
      listPools: (options) => connection.listPools({}, options),
      countPools: (options) => connection.countPools(true, options),
      lookupPool: (options) => connection.lookupPool("p", options),
      lookupPoolByUuid: (options) => connection.lookupPoolByUuid(uuid, options),
      lookupPoolByTargetPath: (options) => connection.lookupPoolByTargetPath("/p", options),
      lookupPoolOfVolume: (options) => connection.lookupPoolOfVolume(volume(), options),
      definePool: (options) => connection.definePool("<pool/>", {}, options),
      createPool: (options) => connection.createPool("<pool/>", {}, options),
      lookupVolumeByKey: (options) => connection.lookupVolumeByKey("/v", options),
      lookupVolumeByPath: (options) => connection.lookupVolumeByPath("/v", options),
      poolCapabilities: (options) => connection.poolCapabilities(options),
      findPoolSources: (options) => connection.findPoolSources("netfs", null, options),
      poolEvents: (options) => connection.poolEvents(null, options),
      listSecrets: (options) => connection.listSecrets({}, options),
      lookupSecretByUuid: (options) => connection.lookupSecretByUuid(uuid, options),
      lookupSecretByUsage: (options) => connection.lookupSecretByUsage("ceph", "s", options),
      defineSecret: (options) => connection.defineSecret("<secret/>", {}, options),
      secretEvents: (options) => connection.secretEvents(null, options),
      listDomains: (options) => connection.listDomains({}, options),
      lookupDomain: (options) => connection.lookupDomain("d", options),
      lookupDomainByUuid: (options) => connection.lookupDomainByUuid(uuid, options),
      domainEvents: (options) => connection.domainEvents({}, options),
      listJobs: (options) => connection.listJobs({}, options),
      lookupJob: (options) => connection.lookupJob(1, options),
      watchJobs: (options) => connection.watchJobs(null, options),
      cancelJob: (options) => connection.cancelJob(1, options),
      setJobBandwidth: (options) => connection.setJobBandwidth(1, null, options),
      poolCommitment: (options) => connection.poolCommitment(pool(), options),
      autostartFailure: (options) => connection.autostartFailure(pool(), options),
      inspectVolume: (options) => connection.inspectVolume(volume(), options),
    },
  ],
  [
    Pool,
    {
      info: (options) => pool().info(options),
      xml: (options) => pool().xml({}, options),
      isActive: (options) => pool().isActive(options),
      isPersistent: (options) => pool().isPersistent(options),
      autostart: (options) => pool().autostart(options),
      setAutostart: (options) => pool().setAutostart(true, options),
      start: (options) => pool().start({}, options),
      stop: (options) => pool().stop(options),
      build: (options) => pool().build({}, options),
      delete: (options) => pool().delete(options),
      undefine: (options) => pool().undefine(options),
      refresh: (options) => pool().refresh(options),
      listVolumes: (options) => pool().listVolumes(options),
      countVolumes: (options) => pool().countVolumes(options),
      lookupVolume: (options) => pool().lookupVolume("v", options),
      createVolume: (options) => pool().createVolume("<volume/>", {}, options),
      cloneVolume: (options) => pool().cloneVolume("<volume/>", volume(), {}, options),
    },
  ],
  [
    Volume,
    {
      info: (options) => volume().info({}, options),
      xml: (options) => volume().xml(options),
      path: (options) => volume().path(options),
      delete: (options) => volume().delete({}, options),
      resize: (options) => volume().resize(1n, {}, options),
      wipe: (options) => volume().wipe("zero", options),
      openDownload: (options) => volume().openDownload(options),
      openUpload: (options) => volume().openUpload(options),
    },
  ],
  [
    Secret,
    {
      xml: (options) => secret().xml(options),
      value: (options) => secret().value(options),
      setValue: (options) => secret().setValue(new Uint8Array(), options),
      undefine: (options) => secret().undefine(options),
    },
  ],
  [
    Domain,
    {
      xml: (options) => domain().xml({}, options),
      state: (options) => domain().state(options),
      isActive: (options) => domain().isActive(options),
      isPersistent: (options) => domain().isPersistent(options),
      attachDevice: (options) => domain().attachDevice("<disk/>", {}, options),
      detachDevice: (options) => domain().detachDevice("<disk/>", {}, options),
    },
  ],
  [
    VolumeUses,
    {
      domainSources: (options) => connection.uses.domainSources(options),
      attachments: (options) => connection.uses.attachments({}, options),
      explain: (options) => connection.uses.explain(volume(), options),
      conflicts: (options) => connection.uses.conflicts(options),
      orphans: (options) => connection.uses.orphans(options).next(),
      adoptionPlan: (options) => connection.uses.adoptionPlan({}, options),
      checkReach: (options) => connection.uses.checkReach(pool(), {}, options),
      attach: (options) => connection.uses.attach(volume(), "d", {}, options),
      detach: (options) => connection.uses.detach(volume(), "d", {}, options),
      refuseDefined: (options) => connection.uses.refuseDefined(true, options),
    },
  ],
];

/** Methods that ask nothing, or whose deadline is their own. */
const OTHERS: ReadonlySet<string> = new Set(["constructor", "hasFeature", "close"]);

const rows = calls.flatMap(([{ prototype }, table]) =>
  Object.entries(table).map(([name, call]) => ({ name: `${prototype.constructor.name}.${name}`, call })),
);

it("are all in this table", () => {
  for (const [{ prototype }, table] of calls) {
    const methods = Object.entries(Object.getOwnPropertyDescriptors(prototype))
      .filter(([name, { value }]) => typeof value === "function" && !OTHERS.has(name))
      .map(([name]) => name);
    expect(Object.keys(table).sort()).toEqual(methods.sort());
  }
});

describe.each(rows)("$name", ({ call }) => {
  beforeEach(() => server.silence());

  it("asks nothing when its signal is aborted already", async () => {
    const before = server.calls.length;
    await expect(call({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 78 });
    expect(server.calls.length).toBe(before);
  });

  it("is given up when its signal is aborted while the server thinks", async () => {
    const controller = new AbortController();
    const before = server.calls.length;
    const answer = call({ signal: controller.signal });
    await server.packet((frame) => frame.type === MessageType.CALL && server.calls.length > before);
    controller.abort();
    await expect(answer).rejects.toMatchObject({ code: 78 });
  });

  it("is given up at its deadline", async () => {
    await expect(call({ timeoutMs: 5 })).rejects.toMatchObject({ code: 68 });
  });
});

it("about events that are given up half-way do not wait for the server to forget the first half", async () => {
  server.on(domains.connectDomainEventCallbackDeregisterAny, () => null);
  server.on(domains.connectDomainEventCallbackRegisterAny, ({ eventID }) => (eventID === 0 ? { callbackID: 7 } : null));
  const answer = connection.domainEvents({}, { timeoutMs: 50 });
  await expect(answer).rejects.toMatchObject({ code: 68 });
  expect(server.calls.at(-1)).toBe("CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY");
});

it("about events that are answered when nobody waits any more are taken back", async () => {
  const forgotten: number[] = [];
  server.on(domains.connectDomainEventCallbackDeregisterAny, ({ callbackID }) => void forgotten.push(callbackID));
  server.on(domains.connectDomainEventCallbackRegisterAny, () => null);
  await expect(connection.domainEvents({}, { timeoutMs: 20 })).rejects.toMatchObject({ code: 68 });
  const call = await server.packet(
    ({ procedure }) => procedure === domains.connectDomainEventCallbackRegisterAny.number,
  );
  server.reply(call, domains.connectDomainEventCallbackRegisterAny, { callbackID: 9 });
  const { number } = domains.connectDomainEventCallbackDeregisterAny;
  await server.packet(({ procedure }) => procedure === number);
  expect(forgotten).toEqual([9]);
});

it.each([
  [{}, 0],
  [{ build: true }, 1],
  [{ build: "overwrite" }, 2],
  [{ build: "refuse" }, 4],
] as const)("to start and create pools with %j have the flags %i", async (settings, flags) => {
  const seen: number[] = [];
  server.on(storage.storagePoolCreate, (args) => void seen.push(args.flags));
  server.on(storage.storagePoolCreateXml, (args) => {
    seen.push(args.flags);
    return { pool: pool().reference };
  });
  await pool().start(settings);
  await connection.createPool("<pool/>", settings);
  expect(seen).toEqual([flags, flags]);
});
