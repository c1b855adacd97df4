import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readSecret, type SecretDocument } from "@cistern/documents";
import { LibvirtError } from "@cistern/protocol";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Libvirtd, prepareLibvirtd } from "../../../../tests/support/libvirtd.js";
import { mountNamespacesUnavailable } from "../../../../tests/support/mount-namespace.js";
import { Hosts } from "../../dist/host/index.js";
import { openSecrets, RemoteSecrets, type SecretEvent, SystemToken } from "../../dist/secrets/index.js";

const A = "5e7a1f00-aaaa-bbbb-cccc-444455556666";
const B = "5e7a1f00-aaaa-bbbb-cccc-444455556667";
const CLIENT = { elevated: false };
const DAEMON = { elevated: true };
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array) => new TextDecoder().decode(value);
const ceph = (uuid: string, name: string, attributes = "") =>
  `<secret ${attributes}><uuid>${uuid}</uuid><usage type='ceph'><name>${name}</name></usage></secret>`;
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => "no refusal",
    (error: unknown) => {
      const { code, domain, message } = LibvirtError.from(error);
      return `${code}/${domain} ${message}`;
    },
  );
const reader = { secret: async (xml: string): Promise<SecretDocument> => readSecret(xml) };

let hosts: Hosts;
let root = "";
let reports: string[] = [];
let opened: { close(): Promise<void> }[] = [];

beforeAll(() => {
  hosts = new Hosts();
});
afterAll(() => hosts.close());
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "cs-"));
  reports = [];
  opened = [];
});
afterEach(async () => {
  for (const one of opened.reverse()) await one.close();
  await rm(root, { recursive: true, force: true });
});

const report = (message: string) => void reports.push(message);
const tokenIn = (file: string) => new SystemToken(hosts.local, file);

function remote(socketPath: string, token = join(root, "run/common/system.token"), timeoutMs = 10_000): RemoteSecrets {
  const secrets = new RemoteSecrets({ socketPath, token: tokenIn(token), report, timeoutMs });
  opened.push(secrets);
  return secrets;
}

/** Waits until `check` holds; the test's own deadline ends it. */
async function until(check: () => boolean): Promise<void> {
  for (let waitedMs = 0; !check(); waitedMs += 10) {
    if (waitedMs > 15_000) throw new Error("it did not happen");
    await sleep(10);
  }
}

const unavailable =
  mountNamespacesUnavailable() ?? (existsSync("/usr/sbin/libvirtd") ? undefined : "needs the package libvirt-daemon");

describe("secrets of a real libvirt daemon", () => {
  let libvirtd: Libvirtd;
  beforeEach(async (context) => {
    context.skip(unavailable !== undefined, unavailable);
    libvirtd = await prepareLibvirtd(root);
    opened.push(libvirtd);
    await libvirtd.daemon.start();
  });

  it("are defined, listed, found, described, given values and undefined there, and its events come back", async () => {
    const secrets = remote(libvirtd.socket);
    const heard: SecretEvent[] = [];
    secrets.listen((event) => heard.push(event));
    const secret = { uuid: A, usageType: 2, usageID: "x" };
    await secrets.count();
    await sleep(300); // the registration follows the first call
    expect(await secrets.define(ceph(A, "x"), 0)).toEqual(secret);
    expect(await secrets.count()).toBe(1);
    expect(await secrets.list(0)).toEqual([secret]);
    expect(await secrets.list(4)).toEqual([]);
    expect(await secrets.lookupByUuid(A)).toEqual(secret);
    expect(await secrets.lookupByUsage(2, "x")).toEqual(secret);
    expect(await secrets.xmlDescription(A, 0)).toContain(`<uuid>${A}</uuid>`);
    const value = Uint8Array.from({ length: 65_536 }, (_, index) => index & 0xff);
    await secrets.setValue(A, value, 0);
    expect(await secrets.getValue(A, 0, CLIENT)).toEqual(value);
    await secrets.undefine(A);
    expect(await secrets.count()).toBe(0);
    await until(() => heard.length === 3);
    expect(heard).toEqual([
      { kind: "defined", secret },
      { kind: "valueChanged", secret },
      { kind: "undefined", secret },
    ]);
    expect(reports).toEqual([]);
  });

  it("that are private are given to daemons with the system token, and to no client", async () => {
    const secrets = remote(libvirtd.socket);
    await secrets.define(ceph(A, "x", "private='yes'"), 0);
    await secrets.setValue(A, bytes("v"), 0);
    expect(await refusal(secrets.getValue(A, 0, CLIENT))).toBe("65/30 Invalid secret: secret is private");
    expect(text(await secrets.getValue(A, 0, DAEMON))).toBe("v");
    expect(text(await secrets.passphrase({ uuid: A }, "volume"))).toBe("v");
    expect(text(await secrets.passphrase({ usage: "x" }, "ceph"))).toBe("v");
    expect(await refusal(secrets.getValue(A, 0, CLIENT))).toBe("65/30 Invalid secret: secret is private");
  });

  it("that are private stay so for whoever has a wrong token, or none", async () => {
    const owner = remote(libvirtd.socket);
    await owner.define(ceph(A, "x", "private='yes'"), 0);
    await owner.setValue(A, bytes("v"), 0);
    const wrong = join(root, "wrong.token");
    await writeFile(wrong, "0".repeat(32));
    for (const token of [wrong, join(root, "absent.token")]) {
      const guesser = remote(libvirtd.socket, token);
      expect(await refusal(guesser.passphrase({ uuid: A }, "volume"))).toBe("65/30 Invalid secret: secret is private");
    }
  });

  it("are refused in that daemon's own words", async () => {
    const secrets = remote(libvirtd.socket);
    await secrets.define(ceph(A, "x"), 0);
    const outcomes = await Promise.all([
      refusal(secrets.define(ceph(A, "y"), 0)),
      refusal(secrets.lookupByUuid(B)),
      refusal(secrets.getValue(A, 0, CLIENT)),
      refusal(secrets.list(16)),
      refusal(secrets.passphrase({ usage: "z" }, "iscsi")),
    ]);
    expect(outcomes).toEqual([
      `1/30 internal error: a secret with UUID ${A} is already defined for use with x`,
      `66/30 Secret not found: no secret with matching uuid '${B}'`,
      `66/30 Secret not found: secret '${A}' does not have a value`,
      "8/30 unsupported flags (0x10) in function secretConnectListAllSecrets",
      "66/30 Secret not found: no secret with matching usage 'z'",
    ]);
  });

  it("are reached again after that daemon was started anew, and so are its events", async () => {
    const secrets = remote(libvirtd.socket);
    const heard: SecretEvent[] = [];
    secrets.listen((event) => heard.push(event));
    await secrets.define(ceph(A, "x"), 0);
    await libvirtd.daemon.stop();
    expect(await refusal(secrets.count())).toMatch(
      /^38\/7 (Failed to connect socket to|End of file while reading data)/,
    );
    await until(() => reports.length === 1);
    await libvirtd.daemon.start();
    expect(await secrets.list(0)).toEqual([{ uuid: A, usageType: 2, usageID: "x" }]);
    await until(() => reports.length === 2);
    expect(reports).toEqual([
      "libvirt's secret daemon cannot be reached: its events are missed",
      "libvirt's secret daemon is there again: its events are passed on",
    ]);
    heard.length = 0;
    await secrets.undefine(A);
    await until(() => heard.length === 1);
    expect(heard[0]?.kind).toBe("undefined");
  });

  it("lie in files that our own store takes over, and gives back", async () => {
    const theirs = remote(libvirtd.socket);
    await theirs.define(ceph(A, "x", "private='yes'"), 0);
    await theirs.setValue(A, bytes("from libvirt"), 0);
    await libvirtd.daemon.stop();

    const skipped: string[] = [];
    const ours = await openSecrets({
      host: hosts.local,
      directory: join(root, "etc/secrets"),
      daemonSocketPath: join(root, "no-such-socket"),
      token: tokenIn(join(root, "absent.token")),
      reader,
      reportSkipped: (file) => void skipped.push(file),
      report,
      claimFiles: async () => {},
    });
    expect(text(await ours.getValue(A, 0, DAEMON))).toBe("from libvirt");
    await ours.define(
      `<secret><uuid>${B}</uuid><description>&lt;ä&gt;</description><usage type='volume'><volume>/a b</volume></usage></secret>`,
      0,
    );
    await ours.setValue(B, bytes("from us"), 0);
    const xml = await ours.xmlDescription(B, 0);
    await ours.close();
    expect(skipped).toEqual([]);

    await libvirtd.daemon.start();
    expect((await theirs.list(0)).map(({ uuid }) => uuid).sort()).toEqual([A, B]);
    expect(text(await theirs.getValue(B, 0, CLIENT))).toBe("from us");
    expect(await theirs.xmlDescription(B, 0)).toBe(xml);
    expect(await theirs.lookupByUsage(1, "/a b")).toEqual({ uuid: B, usageType: 1, usageID: "/a b" });
  });
});

describe("a secret daemon that is not what it should be", () => {
  async function serve(connection: (socket: Socket) => void): Promise<string> {
    const path = join(root, "sock");
    const sockets = new Set<Socket>();
    const server: Server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      connection(socket);
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    opened.push({
      close: () =>
        new Promise((resolve) => {
          for (const socket of sockets) socket.destroy();
          server.close(() => resolve());
        }),
    });
    return path;
  }

  it("and is not there is named with its socket", async () => {
    const secrets = remote(join(root, "absent"));
    expect(await refusal(secrets.passphrase({ uuid: A }, "volume"))).toBe(
      `38/7 Failed to connect socket to '${root}/absent': No such file or directory`,
    );
  });

  it("and does not answer is given up at the deadline, and asked anew by the next call", async () => {
    let connections = 0;
    const path = await serve((socket) => {
      connections++;
      socket.resume();
    });
    const secrets = remote(path, undefined, 200);
    const started = performance.now();
    expect(await refusal(secrets.count())).toBe(
      `38/7 '${path}' does not answer virConnectOpenAuth: Connection timed out`,
    );
    expect(performance.now() - started).toBeLessThan(2_000);
    await refusal(secrets.count());
    expect(connections).toBe(2);
  });

  it.each([
    ["hangs up", (socket: Socket) => socket.destroy()],
    ["talks nonsense", (socket: Socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n".repeat(10))],
  ])("and %s is a lost connection", async (_, connection) => {
    const secrets = remote(await serve(connection));
    expect(await refusal(secrets.count())).toBe("38/7 End of file while reading data: Input/output error");
  });
});

describe("whose secrets they are", () => {
  const options = (daemonSocketPath: string | null, claimFiles: () => Promise<void>) => ({
    host: hosts.local,
    directory: join(root, "secrets"),
    daemonSocketPath,
    token: tokenIn(join(root, "token")),
    reader,
    reportSkipped: () => {},
    report,
    claimFiles,
  });

  it("is this daemon's where no other one listens, after it claimed the files", async () => {
    await mkdir(join(root, "secrets"));
    let claims = 0;
    for (const socket of [null, join(root, "absent")]) {
      const secrets = await openSecrets(options(socket, async () => void claims++));
      opened.push(secrets);
      await secrets.define("<secret/>", 0);
    }
    expect(claims).toBe(2);
    expect(await readdir(join(root, "secrets"))).toHaveLength(2);
    const refused = openSecrets(options(null, () => Promise.reject(new Error("held"))));
    await expect(refused).rejects.toThrow("held");
  });

  it("is the other daemon's where its socket is", async () => {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(join(root, "sock"), resolve));
    opened.push({ close: () => new Promise((resolve) => server.close(() => resolve())) });
    const secrets = await openSecrets(
      options(join(root, "sock"), () => Promise.reject(new Error("not to be claimed"))),
    );
    opened.push(secrets);
    expect(secrets).toBeInstanceOf(RemoteSecrets);
  });
});
