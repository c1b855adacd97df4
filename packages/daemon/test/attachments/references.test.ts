import { readDomain } from "@cistern/documents";
import { describe, expect, it } from "vitest";
import { referencesOf } from "../../dist/attachments/references.js";

const guest = (devices: string, os = ""): ReturnType<typeof referencesOf> =>
  referencesOf(
    readDomain(`<domain type='kvm'><name>g</name><os>${os}</os><devices>${devices}</devices></domain>`),
    "qemu:///system",
  );

const placesOf = (devices: string, os = "") =>
  guest(devices, os).map(({ role, source, target }) => [role, "path" in source ? source.path : source.type, target]);

describe("what a document names", () => {
  it("a disk comes with its chain, its data files and where it is copied to", () => {
    const found = placesOf(`<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
      <source file='/top'><dataStore type='file'><format type='raw'/><source file='/top.data'/></dataStore></source>
      <backingStore type='file'><format type='qcow2'/><source file='/middle'/>
        <backingStore type='block'><format type='raw'/><source dev='/dev/base'/><backingStore/></backingStore>
      </backingStore>
      <mirror type='file' job='copy'><format type='qcow2'/><source file='/copy'/>
        <backingStore type='file'><format type='raw'/><source file='/below-copy'/></backingStore>
      </mirror>
      <target dev='vda' bus='virtio'/></disk>`);
    expect(found).toEqual([
      ["disk", "/top", "vda"],
      ["data-file", "/top.data", "vda"],
      ["backing", "/middle", "vda"],
      ["backing", "/dev/base", "vda"],
      ["mirror", "/copy", "vda"],
      ["backing", "/below-copy", "vda"],
    ]);
  });

  it("what is below a disk, in a cdrom drive or behind a transient disk is only read; the rest is as the document says", () => {
    const disk = (device: string, name: string, more: string) =>
      `<disk type='file' device='${device}'><source file='/${name}'/><target dev='${name}'/>${more}</disk>`;
    const found = guest(
      [
        disk("disk", "vda", "<backingStore type='file'><source file='/base'/></backingStore>"),
        disk("disk", "vdb", "<readonly/><shareable/>"),
        disk("disk", "vdc", "<transient/>"),
        disk("cdrom", "sda", ""),
      ].join(""),
    );
    expect(found.map(({ role, isReadOnly, isShareable }) => [role, isReadOnly, isShareable])).toEqual([
      ["disk", false, false],
      ["backing", true, false],
      ["disk", true, true],
      ["disk", true, false],
      ["cdrom", true, false],
    ]);
  });

  it("an empty drive names nothing, a disk that is not understood something unknown", () => {
    const found = guest(
      `<disk type='file' device='cdrom'><target dev='sda'/></disk>
       <disk type='of-tomorrow' device='disk'><source thing='x'/><target dev='vdz'/></disk>`,
    );
    expect(found).toMatchObject([{ role: "disk", target: "vdz", source: { type: "unread" } }]);
    expect(found[0]?.source).toHaveProperty("reason", expect.stringContaining("of-tomorrow"));
  });

  it("firmware, kernel, file systems, TPM and SCSI devices of the host are named too", () => {
    const found = placesOf(
      `<filesystem type='mount'><source dir='/shared'/><target dir='tag'/></filesystem>
       <tpm model='tpm-crb'><backend type='emulator'><source type='file' path='/tpm.state'/></backend></tpm>
       <hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host2'/>
         <address bus='1' target='3' unit='4'/></source><shareable/></hostdev>`,
      `<loader readonly='yes'>/code.fd</loader><nvram template='/vars.fd'>/guest.vars</nvram>
       <kernel>/vmlinuz</kernel><initrd>/initrd</initrd><dtb>/board.dtb</dtb>`,
    );
    expect(found).toEqual([
      ["loader", "/code.fd", null],
      ["nvram", "/guest.vars", null],
      ["nvram-template", "/vars.fd", null],
      ["kernel", "/vmlinuz", null],
      ["initrd", "/initrd", null],
      ["dtb", "/board.dtb", null],
      ["filesystem", "/shared", null],
      ["tpm", "/tpm.state", null],
      ["hostdev", "scsi", null],
    ]);
  });

  it("state that the hypervisor makes may be missing before a start, where it is presumed always, and else never", () => {
    const found = guest(
      `<disk type='file'><source file='/a'/><target dev='vda'/></disk>
       <disk type='vhostuser'><source type='unix' path='/sock'/><target dev='vdb'/></disk>
       <tpm><backend type='emulator'><source type='file' path='/tpm.state'/></backend></tpm>`,
      "<loader readonly='yes' type='pflash'>/code.fd</loader><nvram template='/vars.fd'/>",
    );
    expect(found.map(({ role, mayBeMissing }) => [role, mayBeMissing])).toEqual([
      ["disk", "never"],
      ["disk", "always"],
      ["loader", "never"],
      ["nvram", "always"],
      ["nvram-template", "never"],
      ["tpm", "before-start"],
    ]);
    const [device] = guest("", "<nvram type='block'><source dev='/dev/vg/vars'/></nvram>");
    expect(device).toMatchObject({ role: "nvram", mayBeMissing: "never" });
  });
});
