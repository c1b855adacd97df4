import { describe, expect, test } from "vitest";
import { partitionName, partitionNode, partitionNumber, partitionPrefix } from "../../dist/drivers/disk/disk-device.js";
import { cylinderBytes, freeExtentsOf, planPartition } from "../../dist/drivers/disk/placement.js";
import type { DiskArea, PartitionKind, PartitionTable } from "../../dist/tools/parted.js";
import { errorOf } from "./laboratory.js";

const CYLINDER = 261_120n;

function table(label: string, areas: readonly DiskArea[], sectorBytes = 512): PartitionTable {
  return { label, sizeBytes: 134_217_728n, sectorBytes, areas };
}
function free(startBytes: bigint, endBytes: bigint, kind: "primary" | "logical" = "primary"): DiskArea {
  return { content: "free", kind, startBytes, endBytes };
}
function part(number: number, startBytes: bigint, endBytes: bigint, kind: PartitionKind = "primary"): DiskArea {
  return { content: "partition", kind, number, startBytes, endBytes };
}
const plan = (disk: PartitionTable, sizeBytes: bigint, format = "none") => planPartition(disk, { format, sizeBytes });
const refusal = (disk: PartitionTable, sizeBytes: bigint, format?: string) =>
  errorOf((async () => plan(disk, sizeBytes, format))());

describe("on a disk labelled by DOS", () => {
  /** Of libvirt 9.0 on a scsi_debug disk of 128 MiB: what was wanted, one after the other, and what parted then showed. */
  const recorded: readonly (readonly [string, bigint, PartitionKind, number, bigint, bigint])[] = [
    ["linux", 5_000_000n, "primary", 1, 1_024n, 5_222_400n],
    ["linux", 7_000_000n, "primary", 2, 5_222_400n, 12_272_640n],
    ["extended", 50_000_000n, "extended", 3, 12_272_640n, 62_407_680n],
    ["linux-swap", 11_000_000n, "primary", 4, 62_407_680n, 73_635_840n],
    ["fat32", 8_000_000n, "logical", 5, 12_274_176n, 20_367_360n],
    ["fat16", 8_000_000n, "logical", 6, 20_367_872n, 28_462_080n],
    ["linux-lvm", 5_000_000n, "logical", 7, 28_462_592n, 33_684_480n],
    ["linux-lvm", 9_000_000n, "logical", 8, 33_684_992n, 42_823_680n],
  ];
  const before: readonly (readonly DiskArea[])[] = [
    [free(1_024n, 134_215_680n)],
    [part(1, 1_024n, 5_222_400n), free(5_222_400n, 134_215_680n)],
    [part(1, 1_024n, 5_222_400n), part(2, 5_222_400n, 12_272_640n), free(12_272_640n, 134_215_680n)],
    [...primaries(3), free(12_273_664n, 62_407_680n, "logical"), free(62_407_680n, 134_215_680n)],
    [...primaries(4), free(12_273_664n, 62_407_680n, "logical"), free(73_635_840n, 134_215_680n)],
    [...logicals(5), free(20_367_360n, 62_407_680n, "logical"), free(73_635_840n, 134_215_680n)],
    [...logicals(6), free(28_462_080n, 62_407_680n, "logical"), free(73_635_840n, 134_215_680n)],
    [...logicals(7), free(33_684_480n, 62_407_680n, "logical"), free(73_635_840n, 134_215_680n)],
  ];
  function upTo(last: number): DiskArea[] {
    return recorded
      .filter(([, , , number]) => number <= last)
      .map(([, , kind, number, start, end]) => part(number, start, end, kind));
  }
  function primaries(last: number): DiskArea[] {
    return upTo(last);
  }
  function logicals(last: number): DiskArea[] {
    return upTo(last);
  }

  test.each(recorded.map((row, index) => [`${row[2]} ${row[3]}`, row, before[index] ?? []] as const))(
    "as libvirt placed %s",
    (_, row, areas) => {
      const [format, sizeBytes, kind, number, startBytes, endBytes] = row;
      expect(plan(table("msdos", areas), sizeBytes, format)).toEqual({ kind, number, startBytes, endBytes });
    },
  );

  test("one that was deleted leaves its number and its place to the next that fits", () => {
    const areas = [free(1_024n, 5_222_400n), ...primaries(4).slice(1), free(73_635_840n, 134_215_680n)];
    const disk = table("msdos", [...areas, free(12_273_664n, 62_407_680n, "logical")]);
    expect(plan(disk, 6_000_000n)).toEqual({
      kind: "primary",
      number: 1,
      startBytes: 73_635_840n,
      endBytes: 79_641_600n,
    });
    expect(plan(disk, 4_000_000n)).toMatchObject({ number: 1, startBytes: 1_024n });
  });

  test("a partition is never smaller than what is wanted, and ends with a cylinder", () => {
    for (const start of [1_024n, CYLINDER, CYLINDER + 512n, 3n * CYLINDER - 512n]) {
      for (const size of [512n, CYLINDER - 1_024n, CYLINDER - 512n, CYLINDER, CYLINDER + 512n, 1_000_001n]) {
        const placed = plan(table("msdos", [free(start, 134_215_680n)]), size);
        expect(placed.startBytes).toBe(start);
        expect(placed.endBytes - start).toBeGreaterThanOrEqual(size);
        expect(placed.endBytes - start - size).toBeLessThanOrEqual(2n * CYLINDER);
        expect(placed.endBytes % CYLINDER).toBe(0n);
        const inside = [part(1, 0n, 134_215_680n, "extended"), part(2, 1n, 2n), part(3, 1n, 2n), part(4, 1n, 2n)];
        const logical = plan(table("msdos", [...inside, free(start, 134_215_680n, "logical")]), size);
        expect(logical.endBytes - logical.startBytes).toBeGreaterThanOrEqual(size);
        expect(logical.startBytes).toBe(start + 512n);
      }
    }
  });

  test("what cannot be", async () => {
    const extended = part(3, 10_000n, 60_000_000n, "extended");
    const full = [part(1, 1n, 2n), part(2, 2n, 3n), part(3, 3n, 4n), part(4, 4n, 5n), free(1_000n, 130_000_000n)];
    expect(await refusal(table("msdos", [extended, free(70_000_000n, 99_000_000n)]), 1_000n, "extended")).toBe(
      "1/18 internal error: extended partition already exists",
    );
    expect(await refusal(table("msdos", full), 1_000n)).toBe(
      "1/18 internal error: no extended partition found and no primary partition available",
    );
    expect(await refusal(table("msdos", [free(1_024n, 5_222_400n)]), 5_222_400n)).toBe(
      "1/18 internal error: no large enough free extent",
    );
    // Free space inside an extended partition is for logical ones.
    expect(await refusal(table("msdos", [extended, free(11_000n, 60_000_000n, "logical")]), 1_000n)).toBe(
      "1/18 internal error: no large enough free extent",
    );
  });

  test("on a disk of 4,096 bytes a sector everything lies on sectors", () => {
    const placed = plan(table("msdos", [free(36_864n, 65_802_240n)], 4_096), 1_000_000n);
    expect(placed.startBytes % 4_096n).toBe(0n);
    expect(placed.endBytes % 4_096n).toBe(0n);
  });
});

describe("on a disk labelled otherwise", () => {
  test("gpt: the smallest that is larger, to the sector", () => {
    const disk = table("gpt", [
      free(17_408n, 10_017_408n),
      part(1, 10_017_408n, 20_000_256n),
      free(20_000_256n, 25_000_960n),
      part(7, 25_000_960n, 30_000_128n),
      free(30_000_128n, 134_200_832n),
    ]);
    expect(plan(disk, 5_000_001n)).toEqual({
      kind: "primary",
      number: 2,
      startBytes: 20_000_256n,
      endBytes: 25_000_448n,
    });
    expect(plan(disk, 6_000_000n)).toMatchObject({ startBytes: 17_408n });
    // libvirt never takes all of a free extent.
    expect(plan(disk, 10_000_000n)).toMatchObject({ startBytes: 30_000_128n });
    expect(plan(disk, 1_000n, "extended")).toMatchObject({ kind: "primary" });
  });

  test("sun and pc98: whole cylinders, behind the label; the third of Sun's is the whole disk", () => {
    const areas = [part(1, 1n, 2n), part(2, 2n, 3n), free(0n, 67_107_840n)];
    const expected = { kind: "primary", startBytes: CYLINDER, endBytes: 6n * CYLINDER } as const;
    expect(plan(table("sun", areas), 4n * CYLINDER + 1n)).toEqual({ ...expected, number: 4 });
    expect(plan(table("pc98", areas), 4n * CYLINDER + 1n)).toEqual({ ...expected, number: 3 });
  });

  test("the sector of the label is not free", () => {
    expect(freeExtentsOf(table("sun", [free(0n, 67_107_840n)]))).toEqual([{ startBytes: 512n, endBytes: 67_107_840n }]);
    expect(plan(table("bsd", [free(0n, 67_107_840n)]), 1_000n)).toMatchObject({ startBytes: 512n, endBytes: 1_536n });
  });
});

test("parted's cylinder", () => {
  expect(cylinderBytes(512)).toBe(CYLINDER);
  expect(cylinderBytes(4_096)).toBe(255n * 9n * 4_096n);
});

describe("how partitions are called", () => {
  test.each([
    ["/dev/sda", false, "/dev/sda1"],
    ["/dev/vdb", false, "/dev/vdb1"],
    ["/dev/loop0", false, "/dev/loop0p1"],
    ["/dev/nvme0n1", false, "/dev/nvme0n1p1"],
    ["/dev/mmcblk0", false, "/dev/mmcblk0p1"],
    ["/dev/mapper/mpatha", false, "/dev/mapper/mpatha1"],
    ["/dev/mapper/mpatha", true, "/dev/mapper/mpathap1"],
    ["/dev/mapper/mpath1", false, "/dev/mapper/mpath1p1"],
  ])("%s, separated %j: %s", (disk, separates, node) => {
    const device = { path: disk, nodePrefix: partitionPrefix(disk, separates) };
    expect(partitionNode(device, 1)).toBe(node);
    expect(partitionName(device, 12)).toBe(`${node.slice(node.lastIndexOf("/") + 1)}2`);
    expect(partitionNumber(device, partitionName(device, 128))).toBe(128);
  });

  test("names that no partition has", () => {
    const loop = { path: "/dev/loop3", nodePrefix: "/dev/loop3p" };
    for (const name of ["loop31", "loop3p", "loop3p0", "loop3p01", "loop3p1x", "xloop3p1", "loop4p1", "", "1"]) {
      expect(partitionNumber(loop, name)).toBeNull();
    }
  });
});
