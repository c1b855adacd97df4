import { getEventListeners } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import {
  auth,
  connect as connectProcedures,
  decodeXdr,
  ErrorCode,
  encodeKeepalive,
  type Frame,
  Keepalive,
  keepaliveKind,
  LibvirtError,
  MessageStatus,
  MessageType,
  storage,
} from "@cistern/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CredentialsSource } from "../dist/authentication/credentials.js";
import { Channel } from "../dist/channel.js";
import { Connection, connect, memoryTransport } from "../dist/index.js";
import { LOCAL_LOGIN, type Login } from "../dist/uri.js";
import { connectScripted } from "./scripted-connection.js";
import { ScriptedServer } from "./scripted-server.js";

const uuid = "5e7a1f00-1111-2222-3333-444455556666";

let server: ScriptedServer;
let connection: Connection;

beforeEach(async () => {
  ({ server, connection } = await connectScripted());
});
afterEach(() => connection.close());

describe("opening", () => {
  it("asks for authentication, then for features around the opening, as libvirt's own client does", async () => {
    const features = server.received
      .filter((frame) => frame.type === MessageType.CALL && frame.procedure === 60)
      .map(({ payload }) => decodeXdr(connectProcedures.connectSupportsFeature.args, payload).value.feature);
    expect(server.calls).toEqual([
      "AUTH_LIST",
      "CONNECT_SUPPORTS_FEATURE",
      "CONNECT_OPEN",
      "CONNECT_SUPPORTS_FEATURE",
      "CONNECT_SUPPORTS_FEATURE",
    ]);
    expect(features).toEqual([10, 14, 15]);
    expect(connection.hasFeature(14)).toBe(true);
  });

  it("names what to open, and says read-only in bit 0", async () => {
    const [client, other] = memoryTransport();
    const readOnlyServer = new ScriptedServer(other);
    const opened: unknown[] = [];
    readOnlyServer.on(connectProcedures.connectOpen, (args) => void opened.push(args));
    const readOnly = await Connection.open(client, "qemu:///system", { readOnly: true });
    await readOnly.close();
    expect(opened).toEqual([{ name: "qemu:///system", flags: 1 }]);
  });

  /** What a server that wants an authentication was asked, and how it ended. */
  async function loggedIn(
    prepare: (server: ScriptedServer) => void,
    { credentials, login = LOCAL_LOGIN }: { credentials?: CredentialsSource; login?: Login } = {},
  ): Promise<string> {
    const [client, other] = memoryTransport();
    const strict = new ScriptedServer(other);
    prepare(strict);
    try {
      const options = { credentials: credentials ?? (async () => ({ username: "me", password: "secret" })) };
      const opened = await Connection.open(client, "storage:///system", options, "it", login);
      await opened.close();
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    return strict.calls.slice(0, 3).join(" ");
  }

  it("asks polkit where the server wants it", async () => {
    const asked = await loggedIn((server) => {
      server.on(auth.authList, () => ({ types: [2] }));
      server.on(auth.authPolkit, () => ({ complete: 1 }));
    });
    expect(asked).toBe("AUTH_LIST AUTH_POLKIT CONNECT_SUPPORTS_FEATURE");
  });

  describe("logs in", () => {
    const offering =
      (mechlist: string, start: Partial<{ complete: number; nil: number; data: Uint8Array }> = {}) =>
      (server: ScriptedServer): void => {
        server.on(auth.authList, () => ({ types: [1] }));
        server.on(auth.authSaslInit, () => ({ mechlist }));
        server.on(auth.authSaslStart, ({ mech, data }) => {
          starts.push(`${mech} ${Buffer.from(data).toString().replaceAll("\0", "|")}`);
          return { complete: 1, nil: 1, data: new Uint8Array(), ...start };
        });
      };
    const starts: string[] = [];

    it("by the best way that both know", async () => {
      starts.length = 0;
      expect(await loggedIn(offering("GSSAPI,PLAIN"))).toBe("AUTH_LIST AUTH_SASL_INIT AUTH_SASL_START");
      await loggedIn(offering("PLAIN SCRAM-SHA-256"));
      await loggedIn(offering("PLAIN,SCRAM-SHA-256"), { login: { ...LOCAL_LOGIN, mechanism: "PLAIN" } });
      expect(starts).toEqual([
        "PLAIN |me|secret",
        expect.stringMatching(/^SCRAM-SHA-256 n,,n=me,r=/),
        "PLAIN |me|secret",
      ]);
    });

    it("and does not trust a server that says yes without having proved anything", async () => {
      expect(await loggedIn(offering("SCRAM-SHA-256"))).toBe(
        "authentication failed: the server has not proved that it knows the password",
      );
    });

    it.each([
      ["GSSAPI", {}, "authentication unavailable: the server offers GSSAPI, and this client SCRAM-SHA-256, PLAIN"],
      [
        "PLAIN",
        { isPrivate: false },
        "authentication unavailable: the server offers PLAIN, and this client SCRAM-SHA-256",
      ],
      [
        "PLAIN",
        { isPrivate: false, mechanism: "PLAIN" },
        "authentication unavailable: the server offers PLAIN, and this client PLAIN (not usable here)",
      ],
    ])("not where %s is offered and %j", async (mechlist, login, message) => {
      starts.length = 0;
      expect(await loggedIn(offering(mechlist), { login: { ...LOCAL_LOGIN, ...login } })).toBe(message);
      expect(starts).toEqual([]);
    });

    it("not without a name and a password", async () => {
      expect(await loggedIn(offering("PLAIN"), { credentials: async () => null })).toBe(
        "authentication cancelled: no name and password are known for 'localhost': nobody was asked, and no auth.conf has them",
      );
    });
  });

  it("fails with the server's error when it refuses", async () => {
    const [client, other] = memoryTransport();
    new ScriptedServer(other).on(connectProcedures.connectOpen, () => {
      throw LibvirtError.of(5, 0, "foo:///system");
    });
    await expect(Connection.open(client, "foo:///system")).rejects.toMatchObject({
      code: 5,
      message: "no connection driver available for foo:///system",
    });
  });

  it("waits for polkit as long as it is told to", async () => {
    const [client, other] = memoryTransport();
    const asking = new ScriptedServer(other);
    asking.on(auth.authList, () => ({ types: [2] }));
    asking.on(auth.authPolkit, () => null);
    await expect(Connection.open(client, "storage:///system", { timeoutMs: 50 })).rejects.toMatchObject({ code: 68 });
  });

  describe("while somebody thinks of a password", () => {
    const thinking = (during: () => void): CredentialsSource => {
      return () => {
        during();
        return new Promise(() => {});
      };
    };
    let asking: ScriptedServer;
    let client: Duplex;
    beforeEach(() => {
      const [near, other] = memoryTransport();
      client = near;
      asking = new ScriptedServer(other);
      asking.on(auth.authList, () => ({ types: [1] }));
      asking.on(auth.authSaslInit, () => ({ mechlist: "PLAIN" }));
    });

    it("is given up by its signal", async () => {
      const controller = new AbortController();
      const credentials = thinking(() => controller.abort());
      const opening = Connection.open(client, "storage:///system", { credentials, signal: controller.signal });
      await expect(opening).rejects.toMatchObject({ code: 78 });
      expect(client.destroyed).toBe(true);
    });

    it("ends with the connection", async () => {
      const opening = Connection.open(client, "storage:///system", { credentials: thinking(() => asking.end()) });
      await expect(opening).rejects.toMatchObject({ code: 39 });
    });
  });

  it("leaves nothing at its signal", async () => {
    const [client, other] = memoryTransport();
    const { signal } = new AbortController();
    new ScriptedServer(other);
    const opened = await Connection.open(client, "storage:///system", { signal });
    expect(getEventListeners(signal, "abort")).toEqual([]);
    await opened.close();
  });

  it("gives up on a server that says nothing", async () => {
    const [client] = memoryTransport();
    await expect(Connection.open(client, "storage:///system", { timeoutMs: 50 })).rejects.toMatchObject({ code: 68 });
  });
});

describe("calls", () => {
  it("bring results and errors", async () => {
    server.on(storage.storagePoolLookupByName, ({ name }) => {
      if (name === "default") return { pool: { name, uuid } };
      throw LibvirtError.of(49, 18, `no storage pool with matching name '${name}'`);
    });
    expect((await connection.lookupPool("default")).uuid).toBe(uuid);
    await expect(connection.lookupPool("nope")).rejects.toMatchObject({
      code: 49,
      domain: 18,
      message: "Storage pool not found: no storage pool with matching name 'nope'",
    });
  });

  it("may be answered in any order", async () => {
    const waiting: Frame[] = [];
    server.on(storage.storagePoolLookupByName, (_args, frame) => {
      waiting.push(frame);
      if (waiting.length === 3) {
        for (const call of waiting.reverse()) {
          const { name } = decodeXdr(storage.storagePoolLookupByName.args, call.payload).value;
          server.reply(call, storage.storagePoolLookupByName, { pool: { name, uuid } });
        }
      }
      return null;
    });
    const pools = await Promise.all(["a", "b", "c"].map((name) => connection.lookupPool(name)));
    expect(pools.map(({ name }) => name)).toEqual(["a", "b", "c"]);
  });

  it("are given up at their deadline and by their signal, and a late reply harms nobody", async () => {
    const unanswered: Frame[] = [];
    server.on(connectProcedures.connectGetHostname, (_args, frame) => {
      unanswered.push(frame);
      return null;
    });
    await expect(connection.hostname({ timeoutMs: 30 })).rejects.toMatchObject({ code: 68 });
    const abort = new AbortController();
    const call = connection.hostname({ signal: abort.signal });
    abort.abort();
    await expect(call).rejects.toMatchObject({ code: 78 });
    await expect(connection.hostname({ signal: abort.signal })).rejects.toMatchObject({ code: 78 });
    await server.packet(() => unanswered.length === 2);
    for (const late of unanswered) server.reply(late, connectProcedures.connectGetHostname, { hostname: "late" });
    server.on(connectProcedures.connectGetHostname, () => ({ hostname: "now" }));
    expect(await connection.hostname()).toBe("now");
  });

  it("without a deadline wait", async () => {
    server.on(connectProcedures.connectGetHostname, () => null);
    const call = connection.hostname({ timeoutMs: Number.POSITIVE_INFINITY });
    await expect(connection.hostname({ timeoutMs: 30 })).rejects.toMatchObject({ code: 68 });
    const { number } = connectProcedures.connectGetHostname;
    const first = await server.packet(({ procedure }) => procedure === number);
    server.reply(first, connectProcedures.connectGetHostname, { hostname: "at last" });
    expect(await call).toBe("at last");
  });

  it("whose arguments cannot be sent are refused before anything is sent", async () => {
    const before = server.received.length;
    const name =
      /^virStoragePoolLookupByName: name must be a string without NUL of at most \d+ bytes, not "a\\u0000b"$/;
    const refused = { name: "LibvirtError", code: ErrorCode.INVALID_ARG, cause: { name: "ProtocolError" } };
    const byName = await connection.lookupPool("a\0b").catch((error: unknown) => error);
    expect(byName).toMatchObject({ ...refused, str2: "name", message: expect.stringMatching(name) });
    const byUuid = await connection.lookupPoolByUuid("no-uuid").catch((error: unknown) => error);
    const uuid = 'uuid must be a UUID in lower case (8-4-4-4-12), not "no-uuid"';
    expect(byUuid).toMatchObject({ ...refused, message: `virStoragePoolLookupByUUID: ${uuid}` });
    expect(server.received.length).toBe(before);
  });

  it("are rejected when the connection ends", async () => {
    server.on(connectProcedures.connectGetHostname, () => {
      server.end();
      return null;
    });
    await expect(connection.hostname()).rejects.toMatchObject({ code: 39, domain: 13 });
    await expect(connection.hostname()).rejects.toThrow("The server closed the connection");
    expect((await connection.closed).message).toBe("The server closed the connection");
  });

  it.each([
    ["a reply to nothing", { type: MessageType.REPLY, serial: 4711 }],
    ["a call", { type: MessageType.CALL, serial: 0 }],
  ])("end with the connection when the server sends %s", async (_what, packet) => {
    const header = { program: 0x20008086, version: 1, procedure: 3, status: MessageStatus.OK };
    server.on(connectProcedures.connectGetHostname, (_args, frame) => {
      server.sendStream(
        { ...frame, ...header, serial: packet.serial },
        MessageStatus.OK,
        new Uint8Array(),
        packet.type,
      );
      return null;
    });
    await expect(connection.hostname()).rejects.toThrow("The server sent what is not libvirt's protocol");
  });

  it("end with the connection when the server sends no packets at all", async () => {
    server.on(connectProcedures.connectGetHostname, () => {
      server.send(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"));
      return null;
    });
    await expect(connection.hostname()).rejects.toThrow("The server sent what is not libvirt's protocol");
  });
});

it("answers a ping at once, also while a call is under way", async () => {
  server.on(connectProcedures.connectGetHostname, () => null);
  const call = connection.hostname({ timeoutMs: 1000 }).catch(() => {});
  server.send(encodeKeepalive(Keepalive.PING));
  expect(keepaliveKind(await server.packet((frame) => keepaliveKind(frame) !== null))).toBe(Keepalive.PONG);
  await connection.close();
  await call;
});

it("shows a sign of life while a slow reader keeps it from hearing the server's questions", async () => {
  const [client, other] = memoryTransport();
  const asking = new ScriptedServer(other);
  const channel = new Channel(client, { onEvent: () => {}, onClosed: () => {} });
  channel.startKeepalive(5, 1);
  channel.pause(asking);
  await asking.packet((frame) => keepaliveKind(frame) === Keepalive.PONG);
  expect(channel.closedBy).toBeNull();
  channel.fail(LibvirtError.of(39, 13, "the test is over"));
});

it("closing says goodbye and rejects what is under way", async () => {
  server.on(connectProcedures.connectGetHostname, () => null);
  const call = expect(connection.hostname()).rejects.toThrow("The connection is closed");
  await connection.close();
  await call;
  expect(server.calls.at(-1)).toBe("CONNECT_CLOSE");
});

describe("over a unix socket", () => {
  let directory: string;
  let listener: Server;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "cistern-client-"));
    listener = createServer((socket) => void new ScriptedServer(socket));
  });
  afterEach(() => {
    listener.close();
    rmSync(directory, { recursive: true });
  });

  it("connects by path and by URI", async () => {
    const path = join(directory, "sock");
    await new Promise<void>((resolve) => listener.listen(path, resolve));
    for (const target of [path, `qemu+unix:///system?socket=${path}`]) {
      const opened = await connect(target);
      await opened.close();
      expect((await opened.closed).message).toBe("The connection is closed");
    }
  });

  it("is given up by its signal while the daemon says nothing, and before there is a socket", async () => {
    const path = join(directory, "silent");
    const controller = new AbortController();
    const came: Socket[] = [];
    const silent = createServer((socket) => {
      came.push(socket);
      controller.abort();
    });
    await new Promise<void>((resolve) => silent.listen(path, resolve));
    await expect(connect(path, { signal: controller.signal })).rejects.toMatchObject({ code: 78 });
    await expect(connect(path, { signal: controller.signal })).rejects.toMatchObject({ code: 78 });
    // It ends when its connections have.
    await new Promise((resolve) => silent.close(resolve));
    expect(came.length).toBe(1);
  });

  it("says which socket does not answer", async () => {
    const path = join(directory, "absent");
    await expect(connect(path)).rejects.toMatchObject({
      code: 38,
      int1: 2,
      message: `Failed to connect socket to '${path}': No such file or directory`,
    });
  });
});
