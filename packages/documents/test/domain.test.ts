import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DocumentError, readDomain } from "../dist/index.js";

/** What libvirt 9.0.0 (virsh -c test:///default define, then dumpxml) made of a domain that was written for this test. */
const everything = readFileSync(new URL("./fixtures/domain/everything.xml", import.meta.url), "utf8");

const domain = (content: string, more = ""): string => `<domain type='kvm'${more}><name>g</name>${content}</domain>`;

describe("a domain", () => {
  it("as libvirt writes it: its disk, and all that it uses besides", () => {
    const read = readDomain(everything);
    expect(read).toMatchObject({
      name: "everything",
      uuid: "11111111-2222-4333-8444-666666666666",
      id: null,
      hypervisor: "test",
      unreadDisks: [],
      status: null,
    });
    expect(read.disks.map(({ target, source }) => [target, source])).toEqual([
      ["vda", { type: "file", path: "/srv/a.img" }],
    ]);
    expect(
      read.references.map(({ role, source, isReadOnly }) => [
        role,
        "path" in source ? `${source.type} ${source.path}` : source.type,
        isReadOnly,
      ]),
    ).toEqual([
      ["loader", "file /usr/share/OVMF/OVMF_CODE.fd", true],
      ["nvram", "file /var/lib/libvirt/qemu/nvram/everything_VARS.fd", false],
      ["nvram-template", "file /usr/share/OVMF/OVMF_VARS.fd", true],
      ["kernel", "file /boot/vmlinuz", true],
      ["initrd", "file /boot/initrd.img", true],
      ["dtb", "file /boot/a.dtb", true],
      ["acpi-table", "file /srv/slic.dat", true],
      ["filesystem", "dir /srv/share", true],
      ["filesystem", "file /srv/fs.img", false],
      ["filesystem", "block /dev/vg/fs", false],
      ["filesystem", "volume", false],
      ["tpm", "unsaid", false],
      ["hostdev", "network", false],
    ]);
    expect(read.references[8]).toMatchObject({ format: "raw" });
    expect(read.references.at(-1)?.source).toMatchObject({
      protocol: "iscsi",
      name: "iqn.2014-08.com.example:iscsi-nopool/1",
      authentication: { username: "me", type: "iscsi" },
    });
    expect(read.scsiDevices).toEqual([{ host: 0, bus: 0, target: 1, unit: 2, isReadOnly: true, isShareable: true }]);
  });

  it("that runs: its number, and what its status file says", () => {
    expect(readDomain(domain("", " id='7'"))).toMatchObject({ id: 7, status: null });
    const status = `<domstatus state='paused' reason='user' pid='4711'><taint flag='x'/>${domain("", " id='7'")}</domstatus>`;
    expect(readDomain(status)).toMatchObject({
      name: "g",
      id: 7,
      status: { state: "paused", reason: "user", pid: 4711 },
    });
  });

  it("variables of the firmware in a volume, a TPM's state, virtiofs by a socket, no system at all", () => {
    const nvram = "<os><nvram type='block'><source dev='/dev/vg/nvram'/></nvram></os>";
    const tpm = "<tpm><backend type='emulator'><source type='file' path='/srv/tpm'/></backend></tpm>";
    const socket = "<filesystem type='mount'><source socket='/run/fs.sock'/><target dir='t'/></filesystem>";
    const passthrough = "<tpm><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>";
    const read = readDomain(domain(`${nvram}<devices>${tpm}${socket}${passthrough}</devices>`));
    expect(read.references).toEqual([
      { role: "nvram", source: { type: "block", path: "/dev/vg/nvram" }, format: null, isReadOnly: false },
      { role: "tpm", source: { type: "file", path: "/srv/tpm" }, format: null, isReadOnly: false },
    ]);
    expect(readDomain(domain(""))).toMatchObject({ uuid: null, disks: [], references: [], scsiDevices: [] });
  });

  // As libvirt 9.0.0 wrote them for guests that run, or are defined, with these.
  it.each([
    ["firmware that libvirt chooses", "<os firmware='efi'><type>hvm</type></os>", ["nvram null"]],
    ["firmware that is only read", "<os><loader readonly='yes' type='pflash'>/code.fd</loader></os>", ["nvram null"]],
    [
      "a template alone",
      "<os><loader readonly='yes' type='pflash'>/code.fd</loader><nvram template='/vars.fd'/></os>",
      ["nvram null"],
    ],
    ["firmware without state", "<os><loader readonly='yes' stateless='yes' type='pflash'>/code.fd</loader></os>", []],
    ["no firmware of that kind", "<os firmware='bios'><loader type='rom'>/bios.bin</loader></os>", []],
    ["a TPM", "<devices><tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm></devices>", ["tpm 2.0"]],
    ["a TPM of no version", "<devices><tpm><backend type='emulator'/></tpm></devices>", ["tpm null"]],
    [
      "a TPM of somebody else",
      "<devices><tpm><backend type='external'><source type='unix' path='/tpm.sock'/></backend></tpm></devices>",
      [],
    ],
  ])("state of which the document does not say where it lies: %s", (_, content, expected) => {
    const unsaid = readDomain(domain(content)).references.flatMap(({ role, source }) =>
      source.type === "unsaid" ? [`${role} ${source.version}`] : [],
    );
    expect(unsaid).toEqual(expected);
  });

  it("a disk that is not understood is named, and hides no other", () => {
    const disks =
      "<disk type='tape'><target dev='st0'/></disk><disk><source file='/a'/></disk>" +
      "<disk type='file'><source file='/b'/><target dev='vdb'/></disk>";
    const read = readDomain(domain(`<devices>${disks}</devices>`));
    expect(read.disks.map(({ target }) => target)).toEqual(["vdb"]);
    expect(read.unreadDisks).toEqual([
      { target: "st0", reason: "unknown disk type 'tape'" },
      { target: null, reason: "missing target information for disk" },
    ]);
  });

  it.each([
    ["<domain", /^35\/20 \(domain_definition\):1: /],
    ["<network/>", /^27\/5 expecting root element of 'domain', not 'network'$/],
    ["<domain type='kvm'/>", /^27\/20 missing name of a domain$/],
    ["<domstatus state='running'/>", /^27\/20 missing domain in a status document$/],
  ])("%s is refused", (xml, failure) => {
    try {
      readDomain(xml);
      expect.unreachable();
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      expect(`${error.libvirtCode}/${error.libvirtDomain} ${error.message}`).toMatch(failure);
    }
  });
});
