import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LoopDisk, loopDisk } from "../guest/loop.js";
import { listVolumes, type VolumeGroup, volumeGroup } from "../guest/lvm.js";
import { attempt, run } from "../guest/run.js";
import { settle, startUdev } from "../guest/udev.js";

const MiB = 1024 * 1024;

describe("LVM in a guest", () => {
  let disks: readonly LoopDisk[] = [];
  let group: VolumeGroup;

  beforeAll(() => {
    startUdev();
    disks = [loopDisk(512 * MiB), loopDisk(512 * MiB)];
    group = volumeGroup(
      "lab",
      disks.map(({ device }) => device),
    );
  });

  afterAll(() => {
    group?.[Symbol.dispose]();
    for (const disk of disks) disk[Symbol.dispose]();
  });

  it("makes a volume that udev names", () => {
    run("lvcreate", ["--yes", "-L", "16M", "-n", "plain", "lab"]);
    settle();
    expect(existsSync("/dev/lab/plain")).toBe(true);
    expect(listVolumes("lab", ["lv_name", "lv_size"])).toEqual([["plain", String(16 * MiB)]]);
  });

  it("makes thin volumes and snapshots of both kinds", () => {
    run("lvcreate", ["--yes", "--type", "thin-pool", "-L", "64M", "-n", "pool", "lab"]);
    run("lvcreate", ["-V", "1G", "-T", "lab/pool", "-n", "thin"]);
    run("lvcreate", ["-s", "lab/thin", "-n", "thin-snapshot"]);
    run("lvcreate", ["-s", "lab/plain", "-L", "8M", "-n", "plain-snapshot"]);
    const origins = listVolumes("lab", ["lv_name", "origin"]).filter(([, origin]) => origin !== "");
    expect(origins).toEqual([
      ["plain-snapshot", "plain"],
      ["thin-snapshot", "thin"],
    ]);
  });

  it("mounts a file system on a volume", () => {
    run("mkfs.ext4", ["-q", "/dev/lab/plain"]);
    run("mount", ["/dev/lab/plain", "/mnt"]);
    run("umount", ["/mnt"]);
    expect(run("blkid", ["-p", "-o", "value", "-s", "TYPE", "/dev/lab/plain"]).trim()).toBe("ext4");
  });

  it("leaves nothing of a group that is disposed of", () => {
    using disk = loopDisk(64 * MiB);
    volumeGroup("short", [disk.device])[Symbol.dispose]();
    expect(attempt("vgs", ["short"]).status).toBe(5);
    expect(run("pvs", ["--noheadings", "-o", "pv_name"])).not.toContain(disk.device);
  });
});
