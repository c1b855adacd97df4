import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createConnection, createServer, type LookupFunction, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ErrorDomain } from "@cistern/protocol";
import { afterEach, beforeEach, expect, it } from "vitest";
import { connected } from "../dist/transports/connected.js";
import { connectTls } from "../dist/transports/tls.js";

let directory: string;
let listener: Server;
let port: number;
let connections: number;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "cistern-transports-"));
  connections = 0;
  listener = createServer((socket) => {
    connections++;
    socket.on("error", () => {}).resume();
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  ({ port } = listener.address() as AddressInfo);
});
afterEach(async () => {
  // It ends when its connections have: none is left open.
  await new Promise((resolve) => listener.close(resolve));
  rmSync(directory, { recursive: true });
});

it("a name with several addresses of which none answers fails with the reason of one", async () => {
  await new Promise((resolve) => listener.close(resolve));
  const lookup: LookupFunction = (_name, _options, found) => {
    found(null, [
      { address: "127.0.0.1", family: 4 },
      { address: "127.0.0.2", family: 4 },
    ]);
  };
  const socket = createConnection({ host: "several", port, lookup, autoSelectFamily: true });
  const call = connected(socket, "unable to connect to 'several'", ErrorDomain.RPC, { timeoutMs: 10_000 });
  await expect(call).rejects.toMatchObject({
    code: 38,
    int1: 111,
    message: "unable to connect to 'several': Connection refused",
  });
  listener.listen();
});

const tls = (): Parameters<typeof connectTls>[0] => {
  return { host: "127.0.0.1", port, verifiesServer: false, pkiPath: directory };
};

it("TLS with files that are no certificates says which before it goes anywhere", async () => {
  const files = ["clientcert.pem", "clientkey.pem"].map((name) => join(directory, name));
  for (const path of files) writeFileSync(path, "nonsense");
  await expect(connectTls(tls(), { timeoutMs: 10_000 })).rejects.toMatchObject({
    code: 45,
    message: expect.stringContaining(`Cannot use the certificates in '${files[0]}', '${files[1]}': `),
  });
  expect(connections).toBe(0);
});

it("TLS with a server that says nothing is given up by its signal", async () => {
  const controller = new AbortController();
  listener.once("connection", (socket) => socket.once("data", () => controller.abort()));
  const call = connectTls(tls(), { timeoutMs: 10_000, signal: controller.signal });
  await expect(call).rejects.toMatchObject({ code: 78 });
});
