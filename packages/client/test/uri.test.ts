import { describe, expect, it } from "vitest";
import { resolveEndpoint } from "../dist/index.js";
import { certificatePlaces } from "../dist/transports/tls.js";

const environment = { XDG_RUNTIME_DIR: "/run/user/1000" };
const only = (...paths: string[]) => ({ environment, exists: (path: string) => paths.includes(path) });

const LOCAL = { host: "localhost", isPrivate: true, mechanism: null, authFile: null };

describe("where a target leads", () => {
  it.each([
    ["/tmp/s", "/tmp/s", "storage:///system"],
    ["qemu+unix:///system?socket=/tmp/s", "/tmp/s", "qemu:///system"],
    ["storage+unix:///session?socket=/tmp/a%20b", "/tmp/a b", "storage:///session"],
    ["storage:///system?socket=/tmp/s&mode=direct", "/tmp/s", "storage:///system"],
    ["storage:///system?socket=/tmp/s&other=1", "/tmp/s", "storage:///system?other=1"],
    ["storage+unix:///system?socket=/tmp/s&name=qemu:///system", "/tmp/s", "qemu:///system"],
    ["storage+unix://?socket=/tmp/s", "/tmp/s", "storage:///"],
    ["storage+unix:///system?socket=/tmp/a+b", "/tmp/a+b", "storage:///system"],
    ["storage+unix:///system?Socket=/tmp/s", "/tmp/s", "storage:///system"],
    ["storage+unix:///system?socket=/tmp/r&socket=/tmp/s", "/tmp/s", "storage:///system"],
    ["storage+unix:///system?=x&&other;socket=/tmp/s", "/tmp/s", "storage:///system?other="],
    ["storage+unix:///system?socket=/tmp/100%&a%20b=c+d", "/tmp/100%", "storage:///system?a%20b=c%2Bd"],
  ])("%s is %s, opened as %s", (target, socketPath, openName) => {
    expect(resolveEndpoint(target, only())).toEqual({
      way: { transport: "unix", socketPath },
      openName,
      readOnly: false,
      login: LOCAL,
    });
  });

  it.each([
    ["storage:///system", "/run/cistern/libvirt-sock", ["/run/libvirt/libvirt-sock", "/run/cistern/libvirt-sock"]],
    [
      "storage:///system",
      "/run/libvirt/virtstoraged-sock",
      ["/run/libvirt/libvirt-sock", "/run/libvirt/virtstoraged-sock"],
    ],
    ["qemu:///system", "/run/libvirt/libvirt-sock", ["/run/libvirt/libvirt-sock", "/run/libvirt/virtstoraged-sock"]],
    ["storage:///session", "/run/user/1000/cistern/libvirt-sock", ["/run/user/1000/cistern/libvirt-sock"]],
  ])("%s finds %s", (target, socketPath, existing) => {
    expect(resolveEndpoint(target, only(...existing)).way).toEqual({ transport: "unix", socketPath });
  });

  it("a read-only connection goes to the read-only socket", () => {
    const found = resolveEndpoint("storage:///system", { ...only("/run/cistern/libvirt-sock-ro"), readOnly: true });
    expect(found).toEqual({
      way: { transport: "unix", socketPath: "/run/cistern/libvirt-sock-ro" },
      openName: "storage:///system",
      readOnly: true,
      login: LOCAL,
    });
  });
});

describe("another host, by ssh", () => {
  const plain = {
    host: "host",
    port: null,
    user: null,
    keyFile: null,
    verifiesHost: true,
    mayAsk: true,
    program: "ssh",
    netcat: null,
    sockets: ["/run/cistern/libvirt-sock", "/run/libvirt/virtstoraged-sock", "/run/libvirt/libvirt-sock"],
    helper: { uri: "storage:///system", readOnly: false },
  };

  it.each([
    ["storage+ssh://host/system", {}],
    ["storage+ssh://root@host:2222/system", { user: "root", port: 2222 }],
    ["storage+ssh://100%@host/system?no_verify=0&no_tty=2", { user: "100%", mayAsk: false }],
    ["storage+ssh://[fe80::1]/system?socket=/s", { host: "fe80::1", sockets: ["/s"], helper: null }],
    [
      "storage+ssh://a%40b@host/system?keyfile=/k&netcat=/n&command=/c&no_verify=1&no_tty=1",
      { user: "a@b", keyFile: "/k", netcat: "/n", program: "/c", verifiesHost: false, mayAsk: false, helper: null },
    ],
    ["storage+ssh://host/system?proxy=auto", {}],
    ["storage+ssh://host/system?proxy=netcat", { helper: null }],
    ["storage+ssh://host/system?proxy=native", { sockets: [] }],
    ["storage+ssh://host/system?mode=legacy", { sockets: ["/run/libvirt/libvirt-sock"], helper: null }],
    [
      "qemu+ssh://host/session",
      {
        sockets: [
          "$XDG_RUNTIME_DIR/cistern/libvirt-sock",
          "$XDG_RUNTIME_DIR/libvirt/virtqemud-sock",
          "$XDG_RUNTIME_DIR/libvirt/libvirt-sock",
        ],
        helper: { uri: "qemu:///session", readOnly: false },
      },
    ],
  ])("%s", (target, more) => {
    const { way, openName } = resolveEndpoint(target, only());
    expect(way).toEqual({ transport: "ssh", target: { ...plain, ...more } });
    expect(openName).toBe(target.startsWith("qemu") ? "qemu:///session" : "storage:///system");
  });

  it("libvirt's program there is told what is only read, and cisternd is passed over where that is wanted", () => {
    const { way } = resolveEndpoint("qemu+ssh://host/system", { ...only(), readOnly: true, libvirtOnly: true });
    const sockets = ["/run/libvirt/virtqemud-sock-ro", "/run/libvirt/libvirt-sock-ro"];
    expect(way).toMatchObject({ target: { sockets, helper: { uri: "qemu:///system", readOnly: true } } });
  });

  it("nothing is looked for on this host", () => {
    expect(resolveEndpoint("storage+ssh://host/session", { environment: {}, exists: () => false }).way.transport).toBe(
      "ssh",
    );
  });
});

it.each([
  ["qemu:///system?mode=auto", "/run/cistern/libvirt-sock"],
  ["qemu:///system?mode=direct", "/run/libvirt/virtqemud-sock"],
  ["qemu:///system?mode=legacy", "/run/libvirt/libvirt-sock"],
  ["qemu:///session?mode=legacy", "/run/user/1000/libvirt/libvirt-sock"],
])("%s is %s, whatever else there is", (target, socketPath) => {
  const { way } = resolveEndpoint(target, { environment, exists: () => true });
  expect(way).toEqual({ transport: "unix", socketPath });
});

describe("where only libvirt's own daemons are wanted", () => {
  const everywhere = { environment, exists: () => true, libvirtOnly: true };
  it.each([
    ["qemu:///system", "/run/libvirt/virtqemud-sock"],
    ["qemu:///session", "/run/user/1000/libvirt/virtqemud-sock"],
    ["qemu:///system?socket=/run/cistern/libvirt-sock", "/run/cistern/libvirt-sock"],
  ])("%s is %s", (target, socketPath) => {
    expect(resolveEndpoint(target, everywhere).way).toEqual({ transport: "unix", socketPath });
  });

  it("cisternd's socket alone is none", () => {
    const options = { ...only("/run/cistern/libvirt-sock"), libvirtOnly: true };
    expect(() => resolveEndpoint("qemu:///system", options)).toThrow(
      "none of these exists: /run/libvirt/virtqemud-sock",
    );
  });
});

describe("another host, by TCP and TLS", () => {
  const tls = { host: "host", port: 16_514, verifiesServer: true, pkiPath: null };
  it.each([
    ["qemu+tcp://host/system", { transport: "tcp", host: "host", port: 16_509 }],
    ["qemu+tcp://[::1]:1/system", { transport: "tcp", host: "::1", port: 1 }],
    ["qemu://host/system", { transport: "tls", target: tls }],
    [
      "qemu+tls://host:1/system?pkipath=/p&no_verify=1",
      { transport: "tls", target: { ...tls, port: 1, verifiesServer: false, pkiPath: "/p" } },
    ],
  ])("%s", (target, way) => {
    expect(resolveEndpoint(target, only())).toMatchObject({ way, openName: "qemu:///system", readOnly: false });
  });

  it("certificates lie where libvirt looks for them", () => {
    const system = {
      authority: "/etc/pki/CA/cacert.pem",
      certificate: "/etc/pki/libvirt/clientcert.pem",
      key: "/etc/pki/libvirt/private/clientkey.pem",
    };
    const own = {
      authority: "/home/me/.pki/libvirt/cacert.pem",
      certificate: "/home/me/.pki/libvirt/clientcert.pem",
      key: "/home/me/.pki/libvirt/clientkey.pem",
    };
    expect(certificatePlaces(null, "/home/me", 1000, () => true)).toEqual(own);
    expect(certificatePlaces(null, "/home/me", 1000, () => false)).toEqual(system);
    expect(certificatePlaces(null, "/root", 0, () => true)).toEqual(system);
    expect(certificatePlaces("/p", "/root", 0, () => false)).toEqual({
      authority: "/p/cacert.pem",
      certificate: "/p/clientcert.pem",
      key: "/p/clientkey.pem",
    });
  });
});

describe("for a login", () => {
  it.each([
    ["storage:///system?socket=/s", {}],
    ["storage+ssh://me@there/system", { host: "there" }],
    ["qemu+tls://[fe80::1]:1/system?authfile=/a", { host: "fe80::1", authFile: "/a" }],
    ["qemu+tcp://there/system?auth=sasl.PLAIN", { host: "there", isPrivate: false, mechanism: "PLAIN" }],
    ["qemu+tls://there/system?auth=none", { host: "there" }],
    ["qemu+tls://there/system?no_verify=1", { host: "there", isPrivate: false }],
    ["storage+ssh://there/system?no_verify=1", { host: "there", isPrivate: false }],
  ])("%s says %j", (target, login) => {
    expect(resolveEndpoint(target, only()).login).toEqual({ ...LOCAL, ...login });
  });
});

describe("what leads nowhere is refused with the reason", () => {
  it.each([
    ["relative/path", "neither a URI nor the absolute path"],
    ["storage+unix://host/system?socket=/s", "a local socket is on no other host"],
    ["storage+pigeon://host/system", 'there is no transport "pigeon"'],
    ["storage+libssh2://host/system", 'there is no transport "libssh2"'],
    ["storage+tls://host/system?tls_priority=NORMAL", "tls_priority is in the language of another TLS library"],
    ["storage+tcp:///system", "a host is missing"],
    ["storage+ssh:///system", "a host is missing"],
    ["storage+ssh://me@/system", "a host is missing"],
    ["storage+ssh://host:port/system", "a host is missing"],
    ["storage+tcp://host:65536/system", "ports go up to 65535"],
    ["storage+tls://host/system?no_verify=yes", 'no_verify is 1 or 0, not "yes"'],
    ["storage+ssh://host/system?no_tty=", 'no_tty is 1 or 0, not ""'],
    ["storage+ssh://host/system?proxy=helper", 'proxy is one of auto, netcat, native, not "helper"'],
    ["storage+ssh://host/system?proxy=native&socket=/s", "by itself, without socket"],
    ["storage+ssh://host/system?proxy=native&netcat=nc", "by itself, without netcat"],
    ["storage+ssh://host/system?proxy=native&mode=direct", "by itself, without mode"],
    ["storage:///system?mode=", 'mode is one of auto, legacy, direct, not ""'],
    ["storage:///system", "none of these exists: /run/cistern/libvirt-sock"],
  ])("%s", (target, reason) => {
    expect(() => resolveEndpoint(target, only())).toThrow(reason);
    expect(() => resolveEndpoint(target, only())).toThrow(expect.objectContaining({ code: 5 }));
  });

  it("a session without a runtime directory", () => {
    expect(() => resolveEndpoint("storage:///session", { environment: {}, exists: () => true })).toThrow(
      "XDG_RUNTIME_DIR",
    );
  });
});
