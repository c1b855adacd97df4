import { describe, expect, it } from "vitest";
import { resolveEndpoint } from "../dist/index.js";

const environment = { XDG_RUNTIME_DIR: "/run/user/1000" };
const only = (...paths: string[]) => ({ environment, exists: (path: string) => paths.includes(path) });

describe("where a target leads", () => {
  it.each([
    ["/tmp/s", "/tmp/s", "storage:///system"],
    ["qemu+unix:///system?socket=/tmp/s", "/tmp/s", "qemu:///system"],
    ["storage+unix:///session?socket=/tmp/a%20b", "/tmp/a b", "storage:///session"],
    ["storage:///system?socket=/tmp/s&mode=direct", "/tmp/s", "storage:///system"],
    ["storage:///system?socket=/tmp/s&other=1", "/tmp/s", "storage:///system?other=1"],
    ["storage+unix:///system?socket=/tmp/s&name=qemu:///system", "/tmp/s", "qemu:///system"],
    ["storage+unix://?socket=/tmp/s", "/tmp/s", "storage:///"],
  ])("%s is %s, opened as %s", (target, socketPath, openName) => {
    expect(resolveEndpoint(target, only())).toEqual({ socketPath, openName, readOnly: false });
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
    expect(resolveEndpoint(target, only(...existing)).socketPath).toBe(socketPath);
  });

  it("a read-only connection goes to the read-only socket", () => {
    const found = resolveEndpoint("storage:///system", { ...only("/run/cistern/libvirt-sock-ro"), readOnly: true });
    expect(found).toEqual({
      socketPath: "/run/cistern/libvirt-sock-ro",
      openName: "storage:///system",
      readOnly: true,
    });
  });
});

describe("what leads nowhere is refused with the reason", () => {
  it.each([
    ["relative/path", "neither a URI nor the absolute path"],
    ["storage+tcp://host/system", "only local sockets"],
    ["qemu://host/system", "only local sockets"],
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
