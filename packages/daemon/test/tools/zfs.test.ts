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
    [zfs.createVolume(thick), "zfs create -o volmode=dev -V 10240K tank/v"],
    [zfs.createVolume({ ...thick, allocationBytes: 0n }), "zfs create -o volmode=dev -s -V 10240K tank/v"],
    [
      zfs.createVolume({ ...thick, allocationBytes: 1_025n }),
      "zfs create -o volmode=dev -s -o refreservation=2K -V 10240K tank/v",
    ],
    [
      zfs.createVolume({ ...thick, capacityBytes: 1_023n, allocationBytes: 1_023n }),
      "zfs create -o volmode=dev -V 1K tank/v",
    ],
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
