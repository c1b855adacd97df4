import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Connection, connect } from "@cistern/client";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Authority } from "../support/certificates.js";
import { type Libvirtd, libvirtdIn, libvirtdUnavailable, libvirtPlaces } from "../support/libvirtd.js";
import { MountNamespace } from "../support/mount-namespace.js";
import { missing } from "../support/requirements.js";
import { freePort } from "../support/sshd.js";

const unavailable = libvirtdUnavailable() ?? missing({ programs: ["openssl"] }) ?? undefined;

describe("a real libvirtd over the network", () => {
  let root: string;
  let tcpPort: number;
  let tlsPort: number;
  let side: Libvirtd;
  let namespace: MountNamespace;
  const silent: Server[] = [];
  const sockets: Socket[] = [];
  const pki = (name: string): string => join(root, name);

  beforeAll(async () => {
    if (unavailable !== undefined) return;
    root = await mkdtemp(join(tmpdir(), "cn-"));
    tcpPort = await freePort();
    tlsPort = await freePort();
    const authority = new Authority(pki("client"));
    const stranger = new Authority(pki("stranger"));
    authority.certify("127.0.0.1", join(root, "serverkey.pem"), join(root, "servercert.pem"), "IP:127.0.0.1");
    authority.certify("a client", join(pki("client"), "clientkey.pem"), join(pki("client"), "clientcert.pem"));
    stranger.certify("nobody", join(pki("stranger"), "clientkey.pem"), join(pki("stranger"), "clientcert.pem"));
    await mkdir(pki("half"));
    authority.certify("half", join(pki("half"), "unused.pem"), join(pki("half"), "clientcert.pem"));
    namespace = await MountNamespace.open(await libvirtPlaces(root));
    side = await libvirtdIn(namespace, root, [
      ...['listen_addr = "127.0.0.1"', "listen_tcp = 1", "listen_tls = 1", 'auth_tcp = "none"', 'auth_tls = "none"'],
      ...[`tcp_port = "${tcpPort}"`, `tls_port = "${tlsPort}"`, `ca_file = "${authority.path}"`],
      ...[`cert_file = "${join(root, "servercert.pem")}"`, `key_file = "${join(root, "serverkey.pem")}"`],
    ]);
    await side.daemon.start();
  });
  beforeEach(({ skip }) => {
    if (unavailable !== undefined) skip(unavailable);
  });
  afterAll(async () => {
    if (unavailable !== undefined) return;
    for (const socket of sockets) socket.destroy();
    for (const server of silent) server.close();
    await side.close();
    await rm(root, { recursive: true, force: true });
  });

  async function uses(connection: Connection): Promise<void> {
    await using client = connection;
    const path = await mkdtemp(join(root, "pool-"));
    const pool = await client.createPool(`<pool type='dir'><name>n</name><target><path>${path}</path></target></pool>`);
    expect((await client.listPools()).map(({ name }) => name)).toEqual(["n"]);
    await pool.stop();
  }

  it("is used by TCP", async () => {
    await uses(await connect(`qemu+tcp://127.0.0.1:${tcpPort}/system`));
  });

  it("is used by TLS, also as the transport of whoever names none", async () => {
    const at = `127.0.0.1:${tlsPort}/system?pkipath=${pki("client")}`;
    await uses(await connect(`qemu+tls://${at}`));
    await uses(await connect(`qemu://${at}`));
  });

  it.each([
    ["localhost", "client", "", /^authentication failed: TLS handshake failed: Hostname\/IP does not match/],
    ["127.0.0.1", "stranger", "", /^authentication failed: TLS handshake failed: .*certificate/],
    ["127.0.0.1", "stranger", "&no_verify=1", /^authentication failed: (Server verification|TLS handshake failed)/],
    ["127.0.0.1", "half", "&no_verify=1", /^authentication failed: Cannot read '.*clientkey\.pem', which belongs to/],
    ["127.0.0.1", "nowhere", "", /^authentication failed: Cannot read CA certificate '.*nowhere\/cacert\.pem'/],
  ])("at %s with the certificates of %s%s is refused", async (host, certificates, more, reason) => {
    const uri = `qemu+tls://${host}:${tlsPort}/system?pkipath=${pki(certificates)}${more}`;
    await expect(connect(uri)).rejects.toMatchObject({ code: 45, domain: 7, message: expect.stringMatching(reason) });
  });

  it.each(["tcp", "tls"])("where nobody listens by %s: refused at once", async (transport) => {
    const port = await freePort();
    const uri = `qemu+${transport}://127.0.0.1:${port}/system?pkipath=${pki("client")}`;
    await expect(connect(uri)).rejects.toMatchObject({
      code: 38,
      message: `unable to connect to server at '127.0.0.1:${port}': Connection refused`,
    });
  });

  it("of an unknown name says so", async () => {
    await expect(connect("qemu+tcp://host.invalid/system")).rejects.toMatchObject({
      code: 38,
      message: expect.stringMatching(/^unable to connect to server at 'host\.invalid:16509' \(getaddrinfo /),
    });
  });

  it("of a server that says nothing is given up", async () => {
    const server = createServer((socket) => sockets.push(socket)).listen(0, "127.0.0.1");
    silent.push(server);
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    const uri = `qemu+tls://127.0.0.1:${port}/system?pkipath=${pki("client")}`;
    await expect(connect(uri, { timeoutMs: 500 })).rejects.toMatchObject({
      code: 38,
      message: "TLS handshake failed: Connection timed out",
    });
  });
});
