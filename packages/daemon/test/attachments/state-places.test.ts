import type { DomainReference } from "@cistern/documents";
import { describe, expect, it } from "vitest";
import { unsaidSource } from "../../dist/attachments/state-places.js";

const UUID = "425f4a40-34fe-4a32-b59b-f993b3513311";
const guest = { name: "web", uuid: UUID, hypervisor: "kvm" };
const user = { homeDirectory: "/home/me", environment: { XDG_RUNTIME_DIR: "/run/user/1000" } };

const unsaid = (role: "tpm" | "nvram", version: string | null = null): DomainReference => {
  return { role, source: { type: "unsaid", version }, format: null, isReadOnly: false };
};
const tpm = unsaid("tpm", "2.0");
const variables = unsaid("nvram");

const pathOf = (reference: DomainReference, source: string, more: Partial<typeof guest> = {}, who = user) => {
  const found = unsaidSource(reference, { ...guest, ...more }, source, who);
  return found !== null && "path" in found ? `${found.type} ${found.path}` : found;
};

// Where libvirt 9.0.0 put them, for the system and for a user's session.
describe("where libvirt keeps what no document places", () => {
  it("is a directory for each version of a TPM, and one file of variables", () => {
    expect(pathOf(tpm, "qemu:///system")).toBe(`dir /var/lib/libvirt/swtpm/${UUID}/tpm2`);
    expect(pathOf(unsaid("tpm", "1.2"), "qemu:///system")).toBe(`dir /var/lib/libvirt/swtpm/${UUID}/tpm1.2`);
    expect(pathOf(unsaid("tpm"), "qemu:///system")).toBe(`dir /var/lib/libvirt/swtpm/${UUID}`);
    expect(pathOf(variables, "qemu:///system")).toBe("file /var/lib/libvirt/qemu/nvram/web_VARS.fd");
  });

  it.each([
    "qemu:///system",
    "qemu+unix:///system?socket=/srv/libvirt-sock",
    "qemu+ssh://localhost/system",
    "/etc/libvirt/qemu",
    "/run/libvirt/qemu/",
    "/srv/documents",
    "/srv/web.xml",
  ])("is the system's for %s", (source) => {
    expect(pathOf(variables, source)).toBe("file /var/lib/libvirt/qemu/nvram/web_VARS.fd");
  });

  it.each([
    ["qemu:///session", "/home/me/.config/libvirt/qemu"],
    ["qemu+unix:///session?socket=/run/user/1000/libvirt/virtqemud-sock", "/home/me/.config/libvirt/qemu"],
    ["/home/you/.config/libvirt/qemu", "/home/you/.config/libvirt/qemu"],
    ["/home/you/.config/libvirt/qemu/web.xml", "/home/you/.config/libvirt/qemu"],
    ["/run/user/1000/libvirt/qemu/run", "/home/me/.config/libvirt/qemu"],
  ])("is a user's for %s", (source, directory) => {
    expect(pathOf(variables, source)).toBe(`file ${directory}/nvram/web_VARS.fd`);
    expect(pathOf(tpm, source)).toBe(`dir ${directory}/swtpm/${UUID}/tpm2`);
  });

  it("is where the user's own settings say", () => {
    const environment = { ...user.environment, XDG_CONFIG_HOME: "/home/me/settings" };
    expect(pathOf(variables, "qemu:///session", {}, { ...user, environment })).toBe(
      "file /home/me/settings/libvirt/qemu/nvram/web_VARS.fd",
    );
  });

  it.each([
    ["another user's session, whose home is not known", "qemu+unix:///session?socket=/run/user/1001/s", {}],
    ["another user's running guests", "/run/user/1001/libvirt/qemu/run", {}],
    ["another hypervisor", "qemu:///system", { hypervisor: "xen" }],
    ["a name that libvirt accepts for no guest", "qemu:///system", { name: "../../etc/passwd" }],
  ])("is not told of %s", (_, source, more) => {
    expect(pathOf(variables, source, more)).toBeNull();
  });

  it("is not told of a TPM without a UUID", () => {
    expect(unsaidSource(tpm, { ...guest, uuid: null }, "qemu:///system", user)).toBeNull();
  });
});
