import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  decodeReply,
  encodeFrame,
  LibvirtError,
  MessageType,
  PROGRAM,
  PROGRAM_VERSION,
  type Procedure,
  procedures,
} from "@cistern/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { RawClient } from "../wire/raw-client.js";
import { type DocumentFrame, type HostileDocument, hostileDocuments } from "./hostile-document.js";
import { Siege } from "./siege.js";

/** A document is answered within this on an idle machine with two processors; most take milliseconds. */
const ANSWERED_MS = 8_000;
/** Other clients are, meanwhile. */
const OTHERS_MS = 200;
/** Nothing may hold the event loop for longer than 50 ms; parsing takes the processors away from it as well. */
const HELD_MS = 130;
const COST_MIB = 400;

/** How a document of one kind is sent; everything but the document is encoded already. */
interface Place {
  readonly what: string;
  readonly procedure: Procedure<unknown, unknown>;
  readonly frame: DocumentFrame;
  /** The call's arguments around the document. */
  readonly before: (siege: Siege) => Buffer;
  readonly after: Buffer;
}

const UUID = "11111111-2222-3333-4444-555555555555";
const poolFrame = {
  root: "pool",
  content: `<name>hostile</name><uuid>${UUID}</uuid><target><path>/nonexistent/hostile</path></target>`,
};
const volumeFrame = { root: "volume", content: "<name>hostile</name><capacity>4096</capacity>" };
const secretFrame = { root: "secret", content: `<uuid>${UUID}</uuid><usage type='ceph'><name>hostile</name></usage>` };

const noFlags = word(0);
const nothing = (): Buffer => Buffer.alloc(0);
const ofPool = (siege: Siege): Buffer =>
  Buffer.concat([xdr("calm"), Buffer.from(siege.pool.reference.uuid.replaceAll("-", ""), "hex")]);

const places: Place[] = [
  place("a pool", procedures.storagePoolDefineXml, poolFrame, nothing, noFlags),
  place("a pool to be validated", procedures.storagePoolDefineXml, poolFrame, nothing, word(1)),
  place("a volume", procedures.storageVolCreateXml, volumeFrame, ofPool, noFlags),
  place("a volume to be validated", procedures.storageVolCreateXml, volumeFrame, ofPool, word(4)),
  place("a secret", procedures.secretDefineXml, secretFrame, nothing, noFlags),
  place("a secret to be validated", procedures.secretDefineXml, secretFrame, nothing, word(1)),
  place(
    "a source",
    procedures.connectFindStoragePoolSources,
    // Where nobody serves exports: a document that is sound after all is answered at once.
    { root: "source", content: "<host name='127.0.0.1'/>" },
    () => Buffer.concat([xdr("netfs"), word(1)]),
    noFlags,
  ),
];

let siege: Siege;
let client: RawClient;
let secret: string;
let documents: HostileDocument[];
const canary = randomBytes(12).toString("hex");
const OLD = new Date("2001-01-01T00:00:00Z");

beforeAll(async () => {
  siege = await Siege.lay();
  secret = join(siege.daemon.root, "canary");
  const fifo = join(siege.daemon.root, "fifo");
  await writeFile(secret, canary);
  await utimes(secret, OLD, OLD);
  execFileSync("mkfifo", [fifo]);
  documents = hostileDocuments({ secret, fifo });
  client = await siege.attacker();
  // Reading it would be seen.
  const control = join(siege.daemon.root, "control");
  await writeFile(control, canary);
  await utimes(control, OLD, OLD);
  await readFile(control);
  expect((await stat(control)).atimeMs).not.toBe(OLD.getTime());
});
afterEach(async () => {
  if (client.closed) client = await siege.attacker();
});
afterAll(() => siege?.raise());

describe.each(places)("a hostile document for $what", (where) => {
  it("is answered in time, costs little, keeps nobody waiting and reads no file", { timeout: 300_000 }, async () => {
    let slowest = { what: "", ms: 0 };
    const accepted: string[] = [];
    let othersMs = 0;
    await siege.daemon.resetMetrics();
    const cost = await siege.costMiB(async () => {
      for (const document of documents) {
        const startedAt = performance.now();
        const answer = send(where, document);
        othersMs = Math.max(othersMs, await siege.slowestMs(answer));
        const ms = performance.now() - startedAt;
        if (ms > slowest.ms) slowest = { what: document.what, ms };
        expect(ms, document.what).toBeLessThan(ANSWERED_MS);
        const outcome = await answer;
        expect(JSON.stringify(outcome), document.what).not.toContain(canary);
        if (!(outcome instanceof LibvirtError)) accepted.push(document.what);
        await forget();
      }
    });
    const heldMs = ((await siege.daemon.metrics()).get("cistern_event_loop_delay_max_seconds") ?? Number.NaN) * 1000;
    console.log(
      `${where.what}: ${documents.length} documents, ${cost} MiB, others ${Math.round(othersMs)} ms, event loop ${Math.round(heldMs)} ms, slowest ${Math.round(slowest.ms)} ms (${slowest.what})`,
    );
    const legal = documents.filter((document) => document.legal).map(({ what }) => what);
    expect(accepted.filter((what) => !legal.includes(what))).toEqual([]);
    expect(othersMs).toBeLessThan(OTHERS_MS);
    expect(heldMs).toBeLessThan(HELD_MS);
    expect(cost).toBeLessThan(COST_MIB);
    expect((await stat(secret)).atimeMs, "the file was read").toBe(OLD.getTime());
  });
});

/** The answer, or the error. Accepted documents say what became of them. */
async function send({ procedure, before, after, frame }: Place, document: HostileDocument): Promise<unknown> {
  const payload = Buffer.concat([before(siege), xdr(document.bytes(frame)), after]);
  const header = { program: PROGRAM.REMOTE, version: PROGRAM_VERSION, type: MessageType.CALL, serial: 9, status: 0 };
  client.send(encodeFrame({ ...header, procedure: procedure.number, payload }));
  const reply = await client.next(ANSWERED_MS + 10_000);
  if (reply === null) throw new Error(`${document.what} ended the connection`);
  try {
    const result = decodeReply(procedure, reply);
    return [result, await shown()];
  } catch (error) {
    return LibvirtError.from(error);
  }
}

/** All documents that the daemon has now. */
async function shown(): Promise<string[]> {
  const texts: string[] = [];
  for (const pool of await siege.normal.listPools()) texts.push(await pool.xml());
  for (const volume of await siege.pool.listVolumes()) texts.push(await volume.xml());
  const { secrets } = await siege.normal.call(procedures.connectListAllSecrets, { need_results: 1, flags: 0 });
  for (const known of secrets) {
    texts.push((await siege.normal.call(procedures.secretGetXmlDesc, { secret: known, flags: 0 })).xml);
  }
  return texts;
}

/** What was accepted goes away again. */
async function forget(): Promise<void> {
  for (const pool of await siege.normal.listPools({ active: false })) await pool.undefine();
  for (const volume of await siege.pool.listVolumes()) await volume.delete();
  const { secrets } = await siege.normal.call(procedures.connectListAllSecrets, { need_results: 1, flags: 0 });
  for (const known of secrets) await siege.normal.call(procedures.secretUndefine, { secret: known });
}

function place<Args, Result>(
  what: string,
  procedure: Procedure<Args, Result>,
  frame: DocumentFrame,
  before: Place["before"],
  after: Buffer,
): Place {
  return { what, procedure: procedure as Procedure<unknown, unknown>, frame, before, after };
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A string on the wire. */
function xdr(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([word(bytes.length), bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
