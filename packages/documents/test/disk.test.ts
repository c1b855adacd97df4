import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type DiskDocument, DocumentError, readDisk, writeDisk } from "../dist/index.js";

/** As libvirt wrote them, by the disk's name in the guest. */
const recorded = new Map(
  readFileSync(new URL("./fixtures/domain/disks.xml", import.meta.url), "utf8")
    .split("    </disk>\n")
    .slice(0, -1)
    .map((part) => {
      const lines = part.slice(part.indexOf("    <disk ")).split("\n");
      const text = `${lines.map((line) => line.slice(4)).join("\n")}</disk>\n`;
      return [/<target dev='(\w+)'/.exec(text)?.[1] ?? "", text] as const;
    }),
);

const disk = (target: string): DiskDocument => readDisk(recorded.get(target) ?? "");
const minimal = (more: string, type = "file"): string => `<disk type='${type}'>${more}<target dev='vda'/></disk>`;
const failureOf = (xml: string): unknown => {
  try {
    return readDisk(xml);
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    return `${error.libvirtCode}/${error.libvirtDomain} ${error.message}`;
  }
};

describe("disks as libvirt writes them", () => {
  /** What storage has nothing to do with is not kept, and two elements may stand in two places. */
  const LOSSES: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
    vdd: [["    <config file='/etc/ceph.conf'/>\n", ""]],
    vde: [
      [
        "    <auth username='me'>\n      <secret type='iscsi' usage='libvirtiscsi'/>\n    </auth>\n  </source>",
        "  </source>",
      ],
      ["  <source", "  <auth username='me'>\n    <secret type='iscsi' usage='libvirtiscsi'/>\n  </auth>\n  <source"],
    ],
    vdj: [
      [" snapshot='no'", ""],
      [">\n    <reconnect enabled='yes' timeout='10'/>\n  </source>", "/>"],
    ],
    vdl: [
      [
        "  <encryption format='luks'>\n    <secret type='passphrase' uuid='bbbbbbbb-2222-4333-8444-555555555555'/>\n  </encryption>\n",
        "",
      ],
      [
        "<source file='/srv/l.raw'/>",
        "<source file='/srv/l.raw'>\n    <encryption format='luks'>\n      <secret type='passphrase' uuid='bbbbbbbb-2222-4333-8444-555555555555'/>\n    </encryption>\n  </source>",
      ],
    ],
  };

  it("there are some of each type", () => {
    const types = new Set([...recorded.keys()].map((target) => disk(target).source.type));
    expect([...types].sort()).toEqual(["block", "dir", "file", "network", "nvme", "vhostuser", "volume"]);
  });

  it.each([...recorded.keys()])("%s is written as it was read", (target) => {
    const text = (LOSSES[target] ?? []).reduce((sofar, [from, to]) => {
      expect(sofar).toContain(from);
      return sofar.replace(from, to);
    }, recorded.get(target) ?? "");
    expect(writeDisk(disk(target))).toBe(text);
    expect(readDisk(writeDisk(disk(target)))).toEqual(disk(target));
  });

  it("an image with its chain, to the end", () => {
    expect(disk("vda")).toEqual({
      device: "disk",
      driver: { name: "qemu", type: "qcow2", cache: "none", io: null, discard: "unmap" },
      source: { type: "file", path: "/srv/images/a & b.qcow2" },
      encryption: null,
      dataStore: null,
      backing: {
        source: { type: "file", path: "/srv/images/base.qcow2" },
        format: "qcow2",
        encryption: null,
        dataStore: null,
        backing: {
          source: {
            type: "network",
            protocol: "nbd",
            name: "export",
            hosts: [{ name: "127.0.0.1", port: 10_809, transport: null, socket: null }],
            authentication: null,
            initiatorIqn: null,
            snapshot: null,
            query: null,
          },
          format: "raw",
          encryption: null,
          dataStore: null,
          backing: "end",
        },
      },
      mirror: null,
      target: "vda",
      bus: "virtio",
      address: null,
      isReadOnly: false,
      isShareable: false,
      isTransient: false,
      serial: "S1",
      alias: null,
    } satisfies DiskDocument);
  });

  it("an empty drive, a volume of a pool, a device that is shared, one of the network with its secret", () => {
    expect(disk("sda")).toMatchObject({
      device: "cdrom",
      source: { type: "file", path: null },
      isReadOnly: true,
      address: { type: "drive", controller: "0", bus: "0", target: "0", unit: "0" },
    });
    expect(disk("sdc")).toMatchObject({
      device: "lun",
      source: { type: "volume", pool: "iscsi", volume: "unit:0:0:1", mode: "direct" },
    });
    expect(disk("vdb")).toMatchObject({ source: { type: "block", path: "/dev/vg/v" }, isShareable: true });
    expect(disk("vdd").source).toMatchObject({
      snapshot: "s1",
      authentication: {
        username: "admin",
        type: "ceph",
        secret: { uuid: "aaaaaaaa-2222-4333-8444-555555555555" },
      },
    });
    expect(disk("vde").source).toMatchObject({
      authentication: { username: "me", type: "iscsi", secret: { usage: "libvirtiscsi" } },
      initiatorIqn: "iqn.2017.com.example:client",
    });
    expect(disk("vdi").source).toEqual({ type: "nvme", namespace: 1, address: "0000:01:00.0" });
    for (const target of ["vdk", "vdl"]) expect(disk(target).encryption).toMatchObject({ format: "luks" });
  });
});

describe("what else is found in domains", () => {
  it("a disk that says next to nothing", () => {
    expect(readDisk("<disk><target dev='hda'/></disk>")).toMatchObject({
      device: "disk",
      source: { type: "file", path: null },
      backing: null,
      bus: null,
    });
  });

  it("a block job's other end, also as libvirt 1.2 wrote it", () => {
    const mirror = "<mirror type='block' job='copy' ready='yes'><format type='raw'/><source dev='/dev/b'/></mirror>";
    expect(readDisk(minimal(mirror)).mirror).toEqual({
      source: { type: "block", path: "/dev/b" },
      format: "raw",
      job: "copy",
      backing: null,
    });
    expect(readDisk(minimal("<mirror file='/b' format='qcow2'/>")).mirror).toMatchObject({
      source: { type: "file", path: "/b" },
      format: "qcow2",
    });
  });

  it("a data file, and the device of a vDPA", () => {
    const store =
      "<source file='/a'><dataStore type='block'><format type='raw'/><source dev='/dev/d'/></dataStore></source>";
    const document = readDisk(minimal(store));
    expect(document.dataStore).toEqual({ source: { type: "block", path: "/dev/d" }, format: "raw" });
    expect(readDisk(writeDisk(document))).toEqual(document);
    expect(readDisk(minimal("<source dev='/dev/vhost-vdpa-0'/>", "vhostvdpa")).source).toEqual({
      type: "vhostvdpa",
      path: "/dev/vhost-vdpa-0",
    });
  });

  it("elements that nobody knew are passed over", () => {
    expect(readDisk(minimal("<newfangled x='y'/><iotune/><source file='/a'/>"))).toMatchObject({
      source: { path: "/a" },
    });
  });

  it.each([
    ["<disk", /^35\/20 \(device_definition\):1: /],
    ["<pool/>", /^27\/5 expecting root element of 'disk', not 'pool'$/],
    ["<disk/>", /^27\/20 missing target information for disk$/],
    [minimal("", "tape"), /^67\/20 unknown disk type 'tape'$/],
    ["<disk device='tape'><target dev='a'/></disk>", /^67\/20 unknown disk device 'tape'$/],
    [minimal("<source pool='p'/>", "volume"), /^27\/20 missing attribute 'volume' in the source of a disk$/],
    [minimal("<source/>", "network"), /^27\/20 missing attribute 'protocol' in the source of a disk$/],
    [
      minimal(`${"<backingStore><source file='/a'/>".repeat(201)}${"</backingStore>".repeat(201)}`),
      /^1\/20 the backing chain has more than 200 images$/,
    ],
  ])("%.40s is refused", (xml, failure) => {
    expect(failureOf(xml)).toMatch(failure);
  });
});
