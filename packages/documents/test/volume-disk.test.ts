import { describe, expect, it } from "vitest";
import {
  type DiskWish,
  DocumentError,
  diskOfVolume,
  readDisk,
  readPool,
  readVolume,
  writeDisk,
} from "../dist/index.js";

interface Case {
  readonly pool: string;
  readonly volume?: string;
  readonly wish?: DiskWish;
}

const POOLS = {
  dir: "<pool type='dir'><name>images</name><target><path>/srv/images</path></target></pool>",
  logical:
    "<pool type='logical'><name>vg</name><source><name>vg</name></source><target><path>/dev/vg</path></target></pool>",
  iscsi:
    "<pool type='iscsi'><name>san</name><source><host name='h'/><device path='iqn.2004-04.org.example:t'/></source>" +
    "<target><path>/dev/disk/by-path</path></target></pool>",
  "iscsi-direct":
    "<pool type='iscsi-direct'><name>direct</name><source><host name='h' port='3261'/>" +
    "<device path='iqn.2004-04.org.example:t'/><initiator><iqn name='iqn.2004-04.org.example:me'/></initiator>" +
    "<auth type='chap' username='me'><secret usage='u'/></auth></source></pool>",
  rbd:
    "<pool type='rbd'><name>ceph</name><source><name>libvirt-pool</name><host name='m1' port='6789'/><host name='m2'/>" +
    "<auth type='ceph' username='admin'><secret uuid='aaaaaaaa-2222-4333-8444-555555555555'/></auth></source></pool>",
  gluster:
    "<pool type='gluster'><name>g</name><source><host name='h'/><name>volume</name><dir path='/sub/dir'/></source></pool>",
  sheepdog:
    "<pool type='sheepdog'><name>s</name><source><host name='h' port='7000'/><name>cluster</name></source></pool>",
} as const;

function volumeXml(name: string, path: string, format: string | null, more = ""): string {
  const said = format === null ? "" : `<format type='${format}'/>`;
  return `<volume><name>${name}</name><capacity>1</capacity><target><path>${path}</path>${said}${more}</target></volume>`;
}

function disk({ pool, volume = volumeXml("v", "/srv/images/v", "raw"), wish = { target: "vdb" } }: Case): string {
  const document = readPool(pool);
  return writeDisk(
    diskOfVolume(document, readVolume(volume, document.type, { capacity: "required", measured: "read" }), wish),
  );
}

function failureOf(given: Case): string {
  try {
    return disk(given);
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    return `${error.libvirtCode}/${error.libvirtDomain} ${error.message}`;
  }
}

const lines = (...text: readonly string[]): string => `${text.join("\n")}\n`;

describe("the disk that uses a volume", () => {
  it("of files: by path, with the volume's format", () => {
    const volume = volumeXml("a.qcow2", "/srv/images/a.qcow2", "qcow2");
    expect(disk({ pool: POOLS.dir, volume })).toBe(
      lines(
        "<disk type='file' device='disk'>",
        "  <driver name='qemu' type='qcow2'/>",
        "  <source file='/srv/images/a.qcow2'/>",
        "  <target dev='vdb' bus='virtio'/>",
        "</disk>",
      ),
    );
  });

  it("of devices: raw, past the host's page cache", () => {
    const volume = volumeXml("v", "/dev/vg/v", null);
    expect(disk({ pool: POOLS.logical, volume, wish: { target: "sda", bus: "sata" } })).toBe(
      lines(
        "<disk type='block' device='disk'>",
        "  <driver name='qemu' type='raw' cache='none' io='native'/>",
        "  <source dev='/dev/vg/v'/>",
        "  <target dev='sda' bus='sata'/>",
        "</disk>",
      ),
    );
  });

  it.each([
    [
      "rbd",
      volumeXml("image", "libvirt-pool/image", "raw"),
      lines(
        "  <auth username='admin'>",
        "    <secret type='ceph' uuid='aaaaaaaa-2222-4333-8444-555555555555'/>",
        "  </auth>",
        "  <source protocol='rbd' name='libvirt-pool/image'>",
        "    <host name='m1' port='6789'/>",
        "    <host name='m2'/>",
        "  </source>",
      ),
    ],
    [
      "gluster",
      volumeXml("a.img", "gluster://h/volume/sub/dir/a.img", "raw"),
      lines("  <source protocol='gluster' name='volume/sub/dir/a.img'>", "    <host name='h'/>", "  </source>"),
    ],
    [
      "sheepdog",
      volumeXml("a", "a", null),
      lines("  <source protocol='sheepdog' name='a'>", "    <host name='h' port='7000'/>", "  </source>"),
    ],
    [
      "iscsi-direct",
      volumeXml("unit:0:0:3", "ip-h:3261-iscsi-iqn-lun-3", null),
      lines(
        "  <auth username='me'>",
        "    <secret type='iscsi' usage='u'/>",
        "  </auth>",
        "  <source protocol='iscsi' name='iqn.2004-04.org.example:t/3'>",
        "    <host name='h' port='3261'/>",
        "    <initiator>",
        "      <iqn name='iqn.2004-04.org.example:me'/>",
        "    </initiator>",
        "  </source>",
      ),
    ],
  ] as const)("of a pool of type %s: by its address, with the pool's secret", (type, volume, source) => {
    const written = disk({ pool: POOLS[type], volume });
    expect(written).toBe(
      lines("<disk type='network' device='disk'>", "  <driver name='qemu' type='raw'/>").concat(
        source,
        lines("  <target dev='vdb' bus='virtio'/>", "</disk>"),
      ),
    );
    expect(writeDisk(readDisk(written))).toBe(written);
  });

  it("by name, with a mode where there are two ways", () => {
    const volume = volumeXml("unit:0:0:1", "/dev/disk/by-path/x", null);
    const wish = { target: "vdc", byName: true } as const;
    expect(disk({ pool: POOLS.iscsi, volume, wish })).toContain("<source pool='san' volume='unit:0:0:1'/>");
    expect(disk({ pool: POOLS.iscsi, volume, wish: { ...wish, mode: "direct" } })).toContain(
      "<source pool='san' volume='unit:0:0:1' mode='direct'/>",
    );
  });

  it("with its key, its chain, and as what a guest takes it for", () => {
    const key =
      "<encryption format='luks'><secret type='passphrase' uuid='aaaaaaaa-2222-4333-8444-555555555555'/></encryption>";
    expect(disk({ pool: POOLS.dir, volume: volumeXml("v", "/srv/images/v", "raw", key) })).toContain(
      lines(
        "  <source file='/srv/images/v'>",
        "    <encryption format='luks'>",
        "      <secret type='passphrase' uuid='aaaaaaaa-2222-4333-8444-555555555555'/>",
        "    </encryption>",
        "  </source>",
      ),
    );
    expect(disk({ pool: POOLS.dir, wish: { target: "vda", backing: "end" } })).toContain("  <backingStore/>\n");
    const iso = volumeXml("x.iso", "/srv/images/x.iso", "iso");
    expect(disk({ pool: POOLS.dir, volume: iso, wish: { target: "sda" } })).toBe(
      lines(
        "<disk type='file' device='cdrom'>",
        "  <driver name='qemu' type='raw'/>",
        "  <source file='/srv/images/x.iso'/>",
        "  <target dev='sda' bus='scsi'/>",
        "  <readonly/>",
        "</disk>",
      ),
    );
    expect(disk({ pool: POOLS.dir, wish: { target: "fda" } })).toContain("device='floppy'");
    expect(disk({ pool: POOLS.dir, volume: volumeXml("d", "/srv/images/d", "dir") })).toContain(
      "<driver name='qemu' type='fat'/>\n  <source dir='/srv/images/d'/>",
    );
  });

  it.each([
    [{ pool: POOLS.dir, wish: { target: "vdb/../x" } }, "8/18 'vdb/../x' is not the name of a disk in a guest"],
    [{ pool: POOLS.dir, wish: { target: "nvme0" } }, "8/18 'nvme0' is not the name of a disk in a guest"],
    [
      { pool: POOLS.rbd, wish: { target: "vda", byName: true } },
      "67/18 QEMU's driver takes no volume of a pool of type 'rbd'",
    ],
    [
      { pool: POOLS.gluster, wish: { target: "vda", byName: true } },
      "67/18 QEMU's driver takes no volume of a pool of type 'gluster'",
    ],
    [
      { pool: POOLS.iscsi, wish: { target: "vda", mode: "host" } },
      "67/18 a mode is said of volumes of iscsi pools by name",
    ],
    [
      { pool: POOLS.dir, wish: { target: "vda", byName: true, mode: "host" } },
      "67/18 a mode is said of volumes of iscsi pools by name",
    ],
    [{ pool: POOLS["iscsi-direct"] }, "67/18 'v' is not the name of a LUN"],
    [
      { pool: POOLS.dir, volume: volumeXml("p", "/srv/images/p", "ploop") },
      "67/18 'p' is a volume for containers: QEMU knows no ploop",
    ],
  ] as const)("%j is refused", (given, reason) => {
    expect(failureOf(given)).toContain(reason);
  });
});
