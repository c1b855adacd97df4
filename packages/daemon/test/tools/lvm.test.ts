import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Command } from "../../dist/host/host.js";
import * as lvm from "../../dist/tools/lvm.js";

/** As a person would type it; what messages do not show stands in brackets. */
function line({ program, args }: Command): string {
  const shown = args.map((arg) => (typeof arg === "string" ? arg : "unshown" in arg ? `[${arg.unshown}]` : "FILE"));
  return [program, ...shown].join(" ");
}

const recorded = (name: string): string => readFileSync(new URL(`recorded/lvm/${name}`, import.meta.url), "utf8");

describe("command lines", () => {
  const MiB = 1_048_576n;
  const volume = { name: "v", group: "vg0", capacityBytes: 64n * MiB, allocationBytes: 64n * MiB, originPath: null };
  const rows: [string, Command, string][] = [
    ["look for groups", lvm.scanForGroups(), "vgscan"],
    ["devices of groups", lvm.listPhysicalVolumes(), "pvs --noheadings -o pv_name,vg_name"],
    ["activate", lvm.activateGroup("vg0"), "vgchange -aly vg0"],
    ["deactivate", lvm.deactivateGroup("vg0"), "vgchange -aln vg0"],
    ["make a device one of LVM's", lvm.makePhysicalVolume("/dev/sdb"), "pvcreate /dev/sdb"],
    ["and no more", lvm.removePhysicalVolume("/dev/sdb"), "pvremove /dev/sdb"],
    ["make a group", lvm.makeGroup("vg0", ["/dev/sdb", "/dev/sdc"]), "vgcreate vg0 /dev/sdb /dev/sdc"],
    ["try to", lvm.tryMakeGroup("vg0", ["/dev/sdb"]), "vgcreate [--test] vg0 /dev/sdb"],
    ["remove a group", lvm.removeGroup("vg0"), "vgremove -f vg0"],
    [
      "a group's space",
      lvm.groupSpace("vg0"),
      "vgs --separator : --noheadings --units b --unbuffered --nosuffix --options vg_size,vg_free vg0",
    ],
    [
      "a group's volumes",
      lvm.listLogicalVolumes("vg0"),
      "lvs --separator # --noheadings --units b --unbuffered --nosuffix --options " +
        "lv_name,origin,uuid,devices,segtype,stripes,seg_size,vg_extent_size,size,lv_attr " +
        "[--options] [+pool_lv,data_percent,lv_device_open] vg0",
    ],
    ["a volume", lvm.createLogicalVolume(volume), "lvcreate --name v -L 65536K vg0 --yes"],
    ["try to make one", lvm.tryCreateLogicalVolume(volume), "lvcreate [--test] --name v -L 65536K vg0 --yes"],
    [
      "rounded up to KiB",
      lvm.createLogicalVolume({ ...volume, capacityBytes: 1025n, allocationBytes: 1025n }),
      "lvcreate --name v -L 2K vg0 --yes",
    ],
    [
      "a sparse one",
      lvm.createLogicalVolume({ ...volume, allocationBytes: 4n * MiB }),
      "lvcreate --name v -L 4096K --type snapshot --virtualsize 65536K vg0 --yes",
    ],
    [
      "a sparse one without space",
      lvm.createLogicalVolume({ ...volume, allocationBytes: 0n }),
      "lvcreate --name v -L 1K --type snapshot --virtualsize 65536K vg0 --yes",
    ],
    [
      "a snapshot",
      lvm.createLogicalVolume({ ...volume, originPath: "/dev/vg0/a" }),
      "lvcreate --name v -L 65536K -s /dev/vg0/a --yes",
    ],
    [
      "a snapshot with less space than its origin",
      lvm.createLogicalVolume({ ...volume, allocationBytes: 8n * MiB, originPath: "/dev/vg0/a" }),
      "lvcreate --name v -L 8192K -s /dev/vg0/a --yes",
    ],
    ["rename", lvm.renameLogicalVolume("vg0", "a", "b"), "lvrename vg0 a b"],
    ["remove", lvm.removeLogicalVolume("/dev/vg0/a"), "lvremove -f /dev/vg0/a"],
    ["deactivate a volume", lvm.deactivateLogicalVolume("/dev/vg0/a"), "lvchange -aln /dev/vg0/a"],
  ];
  test.each(rows)("%s", (_, command, expected) => expect(line(command)).toBe(expected));
});

test.each([
  ["vg0", true],
  ["a.b+c_d-e", true],
  ["", false],
  [".", false],
  ["..", false],
  ["-f", false],
  ["--config=x", false],
  ["a b", false],
  ["a/b", false],
  ["a\nb", false],
])("a group may be called %j: %s", (name, expected) => expect(lvm.isGroupName(name)).toBe(expected));

describe("pvs", () => {
  test("devices of groups, as recorded; one of none is left out", () => {
    expect(lvm.parsePhysicalVolumes(recorded("pvs.txt"))).toEqual(
      [0, 1, 2].map((number) => ({ devicePath: `/dev/loop${number}`, group: "vg0" })),
    );
  });
  test.each(["", "\n\n", "  /dev/sda\n", "  WARNING: a device is missing\n", "\0\xff"])("nothing in %j", (output) =>
    expect(lvm.parsePhysicalVolumes(output)).toEqual([]),
  );
});

describe("vgs", () => {
  test("sizes, as recorded", () => {
    expect(lvm.parseGroupSpace(recorded("vgs.txt"))).toEqual({ sizeBytes: 1_245_708_288n, freeBytes: 398_458_880n });
  });
  test.each(["", "  :\n", "  12:\n", "  12:-3\n", "  1.5g:2g\n", "  1:2:3\n"])("nothing in %j", (output) =>
    expect(lvm.parseGroupSpace(output)).toBeNull(),
  );
  test("a warning before it is passed over", () => {
    expect(lvm.parseGroupSpace("  WARNING: x\n  10:4\n")).toEqual({ sizeBytes: 10n, freeBytes: 4n });
  });
});

describe("lvs", () => {
  const volumes = lvm.parseLogicalVolumes(recorded("lvs.txt"));
  const of = (name: string) => volumes.find((volume) => volume.name === name);
  const extent = 4_194_304n;
  const segment = (devicePath: string, first: bigint, extents: bigint) => ({
    devicePath,
    startBytes: first * extent,
    endBytes: (first + extents) * extent,
  });

  test("every visible volume of the group once, in LVM's order", () => {
    expect(volumes.map(({ name, kind, isActive }) => `${name} ${kind}${isActive ? "" : ", inactive"}`)).toEqual([
      "tp pool",
      "plain plain",
      "big plain",
      "str plain",
      "mir plain",
      "r1 plain",
      "odd+name.x_y-z plain",
      "snap snapshot",
      "sparse snapshot",
      "thin1 thin",
      "thinsnap thin, inactive",
      "thinsnap2 thin",
      "off plain, inactive",
    ]);
  });

  test("a volume with all that LVM tells of it", () => {
    expect(of("plain")).toEqual({
      name: "plain",
      origin: null,
      uuid: "uVa9JJ-d5La-RALL-0rSZ-QXtG-RgKR-OHxlh9",
      sizeBytes: 67_108_864n,
      kind: "plain",
      isActive: true,
      isOpen: false,
      thinPool: null,
      usedHundredths: null,
      segments: [segment("/dev/loop0", 0n, 16n)],
    });
  });

  test("a volume on several devices, in the order of its content", () => {
    expect(of("big")?.segments).toEqual([segment("/dev/loop1", 0n, 99n), segment("/dev/loop0", 16n, 21n)]);
  });

  test("stripes and mirrors: each of their devices", () => {
    expect(of("str")?.segments).toEqual([segment("/dev/loop0", 37n, 8n), segment("/dev/loop2", 0n, 8n)]);
    expect(of("mir")?.segments).toEqual([segment("mir_mimage_0", 0n, 8n), segment("mir_mimage_1", 0n, 8n)]);
    expect(of("r1")?.segments).toEqual([segment("r1_rimage_0", 0n, 8n), segment("r1_rimage_1", 0n, 8n)]);
  });

  test("origins that can be seen, and those that cannot", () => {
    expect(of("snap")).toMatchObject({ origin: "plain", sizeBytes: 8_388_608n, usedHundredths: 0 });
    expect(of("sparse")).toMatchObject({ origin: null, sizeBytes: extent });
  });

  test("thin volumes: their pool and what is written of them", () => {
    expect(of("thin1")).toMatchObject({ thinPool: "tp", usedHundredths: 98, segments: [], isOpen: false });
    expect(of("thinsnap")).toMatchObject({ thinPool: "tp", usedHundredths: null, origin: "thin1" });
  });

  test("a thin pool is open because of its own volumes, which is nobody's use of it", () => {
    expect(of("tp")).toMatchObject({ kind: "pool", isOpen: false });
  });

  test("an open volume", () => {
    const row = "  v##uuid#/dev/sda(0)#linear#1#4194304#4194304#4194304#-wi-ao----###open\n";
    expect(lvm.parseLogicalVolumes(row)).toMatchObject([{ name: "v", isOpen: true, isActive: true }]);
  });

  test("a device whose path has the separator, a comma or brackets in it", () => {
    const devices = "/dev/mapper/a#b,c(1)d(7),/dev/sdb(0)";
    const row = `  v##uuid#${devices}#striped#2#4194304#4194304#4194304#-wi-a-----###\n`;
    expect(lvm.parseLogicalVolumes(row)[0]?.segments).toEqual([
      segment("/dev/mapper/a#b,c(1)d", 7n, 1n),
      segment("/dev/sdb", 0n, 1n),
    ]);
  });

  test.each([
    "",
    "\n",
    "############\n",
    "  v##uuid#/dev/sda(0)#linear#1#4194304#4194304\n",
    "  v##uuid#/dev/sda(0)#linear#1#x#4194304#4194304#-wi-a-----###\n",
    "  v##uuid#/dev/sda(0)#linear#1#4194304#4194304#-1#-wi-a-----###\n",
    "  ###/dev/sda(0)#linear#1#4194304#4194304#4194304#-wi-a-----###\n",
    "  WARNING: Device for PV abc not found or rejected by a filter.\n",
    "\u0000\uffff#\uffff",
  ])("nothing in %j", (output) => expect(lvm.parseLogicalVolumes(output)).toEqual([]));

  test("odd attributes and devices are taken for what they are not", () => {
    const row = "  v##uuid#[unknown](0)#error#1#4194304#4194304#4194304####\n";
    expect(lvm.parseLogicalVolumes(row)).toMatchObject([{ kind: "plain", isActive: false, isOpen: false }]);
  });
});

test("what a program says because it was only a test is taken out, and nothing else", () => {
  const said =
    "  TEST MODE: Metadata will NOT be updated and volumes will not be (de)activated.\n" +
    '  Logical Volume "a" already exists in volume group "vg0"\n';
  expect(lvm.withoutTestNotes(said)).toBe('  Logical Volume "a" already exists in volume group "vg0"\n');
});
