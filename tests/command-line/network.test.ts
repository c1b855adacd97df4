import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Connection, connect } from "@cistern/client";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Authority } from "../support/certificates.js";
import { type Libvirtd, libvirtdIn, libvirtdUnavailable, libvirtPlaces } from "../support/libvirtd.js";
import { MountNamespace } from "../support/mount-namespace.js";
import { missing } from "../support/requirements.js";
import { freePort, Sshd, sshdUnavailable } from "../support/sshd.js";
import { CISTERN, runCistern } from "./cistern.js";
import { Terminal, terminalRequirements } from "./terminal.js";

const unavailable =
  libvirtdUnavailable() ??
  missing({ programs: ["openssl", "saslpasswd2", ...(terminalRequirements.programs ?? [])] }) ??
  undefined;

describe("a real libvirtd over the network", () => {
  let root: string;
  let tcpPort: number;
  let tlsPort: number;
  let loginPort: number;
  let side: Libvirtd;
  let strict: Libvirtd;
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
    await startStrict(authority);
  });

  /** A second one, which wants a name and a password. */
  async function startStrict(authority: Authority): Promise<void> {
    const place = join(root, "strict");
    await mkdir(join(place, "sasl2"), { recursive: true });
    const database = join(place, "passwords");
    await writeFile(join(place, "sasl2/libvirt.conf"), `mech_list: scram-sha-256 plain\nsasldb_path: ${database}\n`);
    execFileSync("saslpasswd2", ["-p", "-c", "-a", "libvirt", "-f", database, "joe"], { input: "se=cret, pass" });
    const mounts = [
      ...(await libvirtPlaces(place)),
      { kind: "bind", from: join(place, "sasl2"), onto: "/etc/sasl2" } as const,
    ];
    loginPort = await freePort();
    strict = await libvirtdIn(await MountNamespace.open(mounts), place, [
      ...[
        'listen_addr = "127.0.0.1"',
        "listen_tcp = 0",
        "listen_tls = 1",
        'auth_tls = "sasl"',
        'auth_unix_rw = "sasl"',
      ],
      ...[`tls_port = "${loginPort}"`, `ca_file = "${authority.path}"`],
      ...[`cert_file = "${join(root, "servercert.pem")}"`, `key_file = "${join(root, "serverkey.pem")}"`],
    ]);
    await strict.daemon.start();
  }
  beforeEach(({ skip }) => {
    if (unavailable !== undefined) skip(unavailable);
  });
  afterAll(async () => {
    if (unavailable !== undefined) return;
    for (const socket of sockets) socket.destroy();
    for (const server of silent) server.close();
    await side?.close();
    await strict?.close();
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

  it("is used by ssh and the program that libvirt has for that", async ({ skip }) => {
    const reason = sshdUnavailable() ?? missing({ programs: ["virt-ssh-helper"] }) ?? undefined;
    if (reason !== undefined) skip(reason);
    const place = await mkdtemp(join(root, "ssh-"));
    await using sshd = await Sshd.start(place, (program, args, options) => namespace.run(program, args, options));
    const at = `${sshd.user}@127.0.0.1:${sshd.port}/system?keyfile=${sshd.keyFile}&no_verify=1&no_tty=1`;
    await uses(await connect(`qemu+ssh://${at}&proxy=native`));
    await uses(await connect(`qemu+ssh://${at}&proxy=netcat&mode=legacy`));
    await using reader = await connect(`qemu+ssh://${at}&proxy=native`, { readOnly: true });
    await expect(reader.definePool("<pool type='dir'><name>x</name></pool>")).rejects.toMatchObject({ code: 29 });
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

  describe("that wants a login", () => {
    const secure = () => `qemu+tls://127.0.0.1:${loginPort}/system?pkipath=${pki("client")}`;
    const local = () => `qemu+unix:///system?socket=${strict.socket}`;
    const known = async () => ({ username: "joe", password: "se=cret, pass" });

    it.each([
      ["SCRAM-SHA-256", "tls"],
      ["PLAIN", "tls"],
      ["SCRAM-SHA-256", "unix"],
      ["PLAIN", "unix"],
    ])("takes the right password by %s over %s", async (mechanism, transport) => {
      const uri = `${transport === "tls" ? secure() : local()}&auth=sasl.${mechanism}`;
      await uses(await connect(uri, { credentials: known }));
    });

    it.each(["SCRAM-SHA-256", "PLAIN"])("takes no wrong one by %s", async (mechanism) => {
      const credentials = async () => ({ username: "joe", password: "wrong" });
      const call = connect(`${secure()}&auth=sasl.${mechanism}`, { credentials });
      await expect(call).rejects.toMatchObject({ code: 45, domain: 7 });
    });

    it("is used with what libvirt's auth.conf has", async () => {
      const path = join(root, "auth.conf");
      await writeFile(
        path,
        "[credentials-j]\nusername=joe\npassword=se=cret, pass\n[auth-libvirt-127.0.0.1]\ncredentials=j\n",
      );
      await uses(await connect(`${secure()}&authfile=${path}`));
      await expect(connect(`${local()}&authfile=${path}`)).rejects.toMatchObject({
        code: 79,
        message: expect.stringContaining("no name and password are known for 'localhost'"),
      });
    });

    describe("by cistern", () => {
      const terminal = () => new Terminal(`${CISTERN} -c '${secure()}' -q pool-list --all --name`);
      const host = "127.0.0.1";

      it("is asked for on a terminal, the password unseen", async () => {
        await using screen = terminal();
        await screen.shows([`Name at ${host}: `]);
        screen.press("joe\r");
        await screen.shows([`Password of joe at ${host}: `]);
        screen.press("se=cret, pass\r");
        expect(await screen.status()).toBe(0);
        expect(screen.screen).not.toContain("cret");
      });

      it("a wrong one is denied", async () => {
        await using screen = terminal();
        await screen.shows([`Name at ${host}: `]);
        screen.press("joe\r");
        await screen.shows([`Password of joe at ${host}: `]);
        screen.press("wrong\r");
        await screen.shows(["authentication failed"]);
        expect(await screen.status()).toBe(4);
      });

      it.each(["Name at", "Password of"])("Ctrl-C at '%s' cancels", async (prompt) => {
        await using screen = terminal();
        await screen.shows([`Name at ${host}: `]);
        if (prompt !== "Name at") screen.press("joe\r");
        await screen.shows([prompt]);
        screen.press("\x03");
        expect(await screen.status()).toBe(130);
      });

      it("is not asked for where nobody sits, nor what auth.conf has", async () => {
        const listed = ["-q", "pool-list", "--all", "--name"];
        const alone = await runCistern(["-c", secure(), ...listed]);
        expect(alone).toMatchObject({ status: 4, stdout: "" });
        expect(alone.stderr).toContain(`no name and password are known for '${host}'`);
        const known = `[credentials-j]\nusername=joe\npassword=se=cret, pass\n[auth-libvirt-${host}]\ncredentials=j\n`;
        await writeFile(join(root, "known.conf"), known);
        const told = await runCistern(["-c", `${secure()}&authfile=${join(root, "known.conf")}`, ...listed]);
        expect(told).toMatchObject({ status: 0, stderr: "" });
      });

      it("completing asks nobody", async () => {
        await using screen = new Terminal(`${CISTERN} completion words -- -c '${secure()}' pool-info ''; echo over`);
        await screen.shows(["over"]);
        expect(screen.screen).not.toContain("Name at");
      });
    });
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
