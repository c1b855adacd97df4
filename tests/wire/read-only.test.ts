import {
  type AnyProcedure,
  decodeReply,
  encodeFrame,
  LibvirtError,
  MessageType,
  PROGRAM_VERSION,
  procedures,
} from "@cistern/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PrivateDaemon } from "../robustness/private-daemon.js";
import { RawClient } from "./raw-client.js";

const DENIED = 29;
/** Arguments of any procedure: empty strings and lists, nothing optional, zeros. What stands behind them is tolerated. */
const ARGUMENTS = new Uint8Array(512);

/** That what the table says is what libvirt says: a few of each kind, spelled out. */
const SPELLED_OUT: Readonly<Record<string, string>> = {
  storagePoolDefineXml: "virStoragePoolDefineXML",
  storagePoolCreate: "virStoragePoolCreate",
  storagePoolSetAutostart: "virStoragePoolSetAutostart",
  connectFindStoragePoolSources: "virConnectFindStoragePoolSources",
  storageVolCreateXmlFrom: "virStorageVolCreateXMLFrom",
  storageVolUpload: "virStorageVolUpload",
  storageVolDownload: "virStorageVolDownload",
  storageVolWipePattern: "virStorageVolWipePattern",
  secretSetValue: "virSecretSetValue",
  secretGetValue: "virSecretGetValue",
  connectSetIdentity: "virConnectSetIdentity",
};

const all = Object.entries<AnyProcedure>(procedures).filter(([name]) => name !== "connectClose");
const writing = all.filter(([, procedure]) => procedure.requiresWrite);
const looking = all.filter(([name, procedure]) => !procedure.requiresWrite && name !== "connectSetIdentity");

let daemon: PrivateDaemon;
/** One by the read-only socket, one that asked for it when it opened. */
const clients: RawClient[] = [];

beforeAll(async () => {
  daemon = await PrivateDaemon.start();
  clients.push(await RawClient.open(daemon.readOnlySocket));
  const asking = await RawClient.connect(daemon.socket);
  await asking.request(procedures.connectOpen, { name: "storage:///system", flags: 1 });
  clients.push(asking);
});
afterAll(async () => {
  for (const client of clients) client.close();
  await daemon?.close();
});

/** The error a call with meaningless arguments gives; null: none. */
async function outcome(client: RawClient, procedure: AnyProcedure): Promise<LibvirtError | null> {
  const { program, number } = procedure;
  const header = { program, version: PROGRAM_VERSION, procedure: number, serial: 77 };
  client.send(encodeFrame({ ...header, type: MessageType.CALL, status: 0, payload: ARGUMENTS }));
  const frame = await client.next();
  if (frame === null) throw new Error(`${procedure.name} ended the connection`);
  try {
    decodeReply(procedure, frame);
    return null;
  } catch (error) {
    return LibvirtError.from(error);
  }
}

describe("a read-only connection", () => {
  it("there are procedures of both kinds", () => {
    expect(writing.length).toBeGreaterThan(20);
    expect(looking.length).toBeGreaterThan(40);
    for (const [name, api] of Object.entries(SPELLED_OUT)) {
      expect(procedures[name as keyof typeof procedures].api).toBe(api);
    }
  });

  it.each(writing)("is refused %s", async (_name, procedure) => {
    for (const client of clients) {
      expect(await outcome(client, procedure)).toMatchObject({
        code: DENIED,
        domain: procedure.errorDomain,
        message: `operation forbidden: read only access prevents ${procedure.api}`,
      });
    }
  });

  it("is refused connectSetIdentity", async () => {
    for (const client of clients) {
      expect(await outcome(client, procedures.connectSetIdentity as AnyProcedure)).toMatchObject({
        code: DENIED,
        message: "operation forbidden: read only access prevents virConnectSetIdentity",
      });
    }
  });

  it.each(looking)("may call %s", async (_name, procedure) => {
    for (const client of clients) expect((await outcome(client, procedure))?.code).not.toBe(DENIED);
  });
});

describe("a connection that may write", () => {
  it.each(writing)("is not refused %s for that", async (_name, procedure) => {
    const client = await RawClient.open(daemon.socket);
    expect((await outcome(client, procedure))?.code).not.toBe(DENIED);
    client.close();
  });
});
