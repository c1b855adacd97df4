import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Command } from "../../dist/host/host.js";
import * as zfs from "../../dist/tools/zfs.js";

interface Recording {
  readonly line: string;
  readonly exitStatus: number;
  readonly stdout: string;
  readonly stderr: string;
}
/** What OpenZFS really printed; recorded/README.md says where. */
const recorded: { readonly recordings: Readonly<Record<string, Recording>> } = JSON.parse(
  readFileSync(new URL("recorded/zfs.json", import.meta.url), "utf8"),
);
function recording(name: string): Recording {
  const found = recorded.recordings[name];
  if (found === undefined) throw new Error(`nothing was recorded as '${name}'`);
  return found;
}

const MIB = 1_048_576n;

describe("command lines", () => {
  const thick = { fullName: "tank/v", capacityBytes: 10n * MIB, allocationBytes: 10n * MIB };
  test.each<[Command, string]>([
    [zfs.zpoolProperties("tank"), "zpool get -Hp health,size,free,allocated tank"],
    [zfs.listVolumes("tank/images"), "zfs list -Hp -d 1 -t volume -o name,volsize,refreservation tank/images"],
    [zfs.listVolume("tank/v"), "zfs list -Hp -t volume -o name,volsize,refreservation tank/v"],
    [zfs.datasetExists("tank/v"), "zfs list -Hp -o name tank/v"],
    [zfs.createVolume(thick), "zfs create -V 10240K tank/v"],
    [zfs.createVolume({ ...thick, allocationBytes: 0n }), "zfs create -s -V 10240K tank/v"],
    [zfs.createVolume({ ...thick, allocationBytes: 1_025n }), "zfs create -s -o refreservation=2K -V 10240K tank/v"],
    [zfs.createVolume({ ...thick, capacityBytes: 1_023n, allocationBytes: 1_023n }), "zfs create -V 1K tank/v"],
    [zfs.renameVolume("tank/a", "tank/b"), "zfs rename tank/a tank/b"],
    [zfs.volumeBlockSize("tank/v"), "zfs get -Hp -o value volblocksize tank/v"],
    [zfs.resizeVolume("tank/v", MIB, false), "zfs set volsize=1048576 tank/v"],
    [zfs.resizeVolume("tank/v", MIB, true), "zfs set volsize=1048576 refreservation=auto tank/v"],
    [zfs.destroyVolume("tank/v", false), "zfs destroy tank/v"],
    [zfs.destroyVolume("tank/v", true), "zfs destroy -r tank/v"],
    [zfs.createZpool("tank", ["/dev/sdb", "/dev/sdc"]), "zpool create tank /dev/sdb /dev/sdc"],
    [zfs.createDataset("tank/images"), "zfs create -o mountpoint=none tank/images"],
    [zfs.destroyZpool("tank"), "zpool destroy tank"],
    [zfs.destroyDataset("tank/images"), "zfs destroy -r tank/images"],
  ])("%#: %s", ({ program, args }, expected) => {
    expect([program, ...args].join(" ")).toBe(expected);
  });

  test("a name with a blank stays one argument", () => {
    expect(zfs.destroyVolume("tank/a b", false).args).toEqual(["destroy", "tank/a b"]);
  });
});

describe("names", () => {
  test.each(["tank", "tank/images", "a/b/c", "t-1_2.3:4", "tank/a b", "tank/1", "tank/-x"])("'%s' is one", (name) => {
    expect(zfs.isDatasetName(name)).toBe(true);
  });
  test.each(["", "-f", "1tank", "/tank", "tank/", "tank//v", "tank@s", "tank/v@s", "tank/v#b", "tank/v%r", "tank,b"])(
    "'%s' is none",
    (name) => {
      expect(zfs.isDatasetName(name)).toBe(false);
    },
  );
  test.each(["tank/..", "tank/./v", "tank/v\n", "tank\tv", "tank/\u00e4"])("%j is none", (name) => {
    expect(zfs.isDatasetName(name)).toBe(false);
  });

  test("the pool is the first component", () => {
    expect(zfs.zpoolOf("tank")).toBe("tank");
    expect(zfs.zpoolOf("tank/images/old")).toBe("tank");
  });
});

describe("what zpool prints", () => {
  test("health and sizes", () => {
    expect(zfs.parseZpoolProperties(recording("properties").stdout)).toEqual({
      health: "ONLINE",
      sizeBytes: 503_316_480n,
      freeBytes: 503_192_064n,
      allocatedBytes: 124_416n,
    });
    expect(zfs.parseZpoolProperties(recording("properties of a degraded pool").stdout).health).toBe("DEGRADED");
  });

  test.each([
    ["nothing", ""],
    ["other lines", "no pools available\n\n\t\t\t\n"],
    ["too few and too many columns", "tank\tsize\t5\ntank\tfree\t5\t-\t-\n"],
    ["no numbers", "tank\tsize\t-\t-\ntank\tfree\t1.5G\t-\ntank\tallocated\t-7\t-\n"],
    ["a number that no pool has", `tank\tsize\t${"9".repeat(400)}\t-\n`],
  ])("%s: nothing is known", (_, output) => {
    expect(zfs.parseZpoolProperties(output)).toEqual({
      health: null,
      sizeBytes: 0n,
      freeBytes: 0n,
      allocatedBytes: 0n,
    });
  });
});

describe("what zfs prints", () => {
  const named = (name: string): string[] =>
    zfs
      .parseVolumes(recording(name).stdout)
      .map(({ fullName, capacityBytes, reservedBytes }) => `${fullName} ${capacityBytes} ${reservedBytes}`);

  test("volumes: full, sparse, with some reserved, of an odd size", () => {
    expect(named("list")).toEqual([
      "tank/odd 8192 1843200",
      "tank/some 8388608 1048576",
      "tank/sparse 1073741824 0",
      "tank/thick 67108864 71303168",
    ]);
    expect(named("no volumes")).toEqual([]);
  });

  test("the list ends where a dataset below begins", () => {
    expect(named("list down to the last")).toContain("tank/images/inner 8388608 10485760");
    expect(named("list").join()).not.toContain("inner");
    expect(named("list a dataset")).toEqual(["tank/images/inner 8388608 10485760"]);
  });

  test("a resized volume stays reserved, or becomes so", () => {
    expect(named("list after resizing")).toContain("tank/thick 134217728 140509184");
    expect(named("list after resizing")).toContain("tank/some 16777216 19398656");
  });

  test.each(["", "\n\n", "tank/v\n", "tank/v\t-\t-\n", "tank/v\t1\t2\t3\n", "\t1\t2\n", "tank/v\t1.5G\t0\n", "\0\xff"])(
    "%j has no volumes",
    (output) => {
      expect(zfs.parseVolumes(output)).toEqual([]);
    },
  );

  test("a size of blocks", () => {
    expect(zfs.parseBytes(recording("block size").stdout)).toBe(8_192n);
    expect(zfs.parseBytes("-\n")).toBeNull();
    expect(zfs.parseBytes("")).toBeNull();
  });
});

describe("what failures say", () => {
  test.each([
    "pool missing: properties",
    "pool missing: list",
    "list a missing volume",
    "a dataset is missing",
    "rename a missing volume",
    "destroy a missing volume",
    "destroy a missing pool",
  ])("%s: it is missing", (name) => {
    expect(zfs.saysMissing(recording(name).stderr)).toBe(true);
  });
  test.each([
    "module missing: list",
    "create below nothing",
    "create of a name that is taken",
    "rename to a name that is taken",
    "destroy a volume with snapshots",
  ])("%s: that is something else", (name) => {
    expect(recording(name).exitStatus).toBe(1);
    expect(zfs.saysMissing(recording(name).stderr)).toBe(false);
    expect(zfs.saysBusy(recording(name).stderr)).toBe(false);
  });
  test("a device that is open", () => {
    expect(zfs.saysBusy("cannot destroy 'tank/v1': dataset is busy\n")).toBe(true);
  });
});
