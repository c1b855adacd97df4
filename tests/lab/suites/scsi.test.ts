import { beforeAll, describe, expect, it } from "vitest";
import { backingStore, prepareTarget } from "../guest/lio.js";
import { run } from "../guest/run.js";
import {
  debugHosts,
  disksOf,
  hostAttribute,
  type LoopHost,
  loopHost,
  removeDisk,
  rescan,
  scsiHosts,
} from "../guest/scsi.js";
import { startUdev } from "../guest/udev.js";

const MiB = 1024 * 1024;

describe("SCSI hosts in a guest", () => {
  let host: LoopHost;

  beforeAll(() => {
    startUdev();
    prepareTarget();
    host = loopHost("naa.5001405000000001", [backingStore("a", 64 * MiB, "LAB000A")]);
  });

  it("tcm_loop: a host with a disk that udev names", () => {
    expect(scsiHosts()).toEqual([host.host]);
    expect(hostAttribute(host.host, "proc_name")).toBe("tcm_loopback");
    expect(disksOf(host.host)).toEqual(["sda"]);
    expect(run("udevadm", ["info", "--query=symlink", "--name=/dev/sda"])).toContain("disk/by-id/wwn-0x6001405ab000a");
  });

  it("tcm_loop: a second disk appears, and a removed one comes back with a rescan", async () => {
    host.addLun(1, backingStore("b", 32 * MiB, "LAB000B"));
    expect(disksOf(host.host)).toEqual(["sda", "sdb"]);
    await removeDisk("sda");
    expect(disksOf(host.host)).toEqual(["sdb"]);
    rescan(host.host);
    expect(disksOf(host.host)).toHaveLength(2);
  });

  it("scsi_debug: several hosts with several disks", () => {
    const hosts = debugHosts({ hosts: 2, luns: 2, sizeMb: 16 });
    expect(hosts).toHaveLength(2);
    expect(hosts.map((name) => disksOf(name).length)).toEqual([2, 2]);
  });
});
