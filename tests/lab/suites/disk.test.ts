import { existsSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { backingStore, prepareTarget } from "../guest/lio.js";
import { run } from "../guest/run.js";
import { loopHost } from "../guest/scsi.js";
import { settle, startUdev } from "../guest/udev.js";

const DISK = "/dev/sda";

describe("disks in a guest", () => {
  beforeAll(() => {
    startUdev();
    prepareTarget();
    loopHost("naa.5001405000000001", [backingStore("disk", 1024 ** 3, "LABDISK")]);
  });

  it.each(["msdos", "dvh", "mac", "bsd", "pc98", "sun", "gpt"])("takes a label %s", (label) => {
    run("parted", ["--script", DISK, "mklabel", label]);
    // BYT;\n/dev/sda:67108864B:scsi:512:512:gpt:LIO-ORG disk:;
    expect(run("parted", ["--script", "--machine", DISK, "print"]).split("\n")[1]?.split(":")[5]).toBe(label);
  });

  it("takes partitions, which udev names", () => {
    run("parted", [
      "--script",
      DISK,
      "mklabel",
      "gpt",
      "mkpart",
      "one",
      "1MiB",
      "400MiB",
      "mkpart",
      "two",
      "400MiB",
      "800MiB",
    ]);
    settle();
    expect(["1", "2"].map((number) => existsSync(`${DISK}${number}`))).toEqual([true, true]);
  });

  it.each([
    ["ext4", ["-q", "-F"]],
    ["xfs", ["-q", "-f"]],
    ["btrfs", ["-q", "-f"]],
    ["vfat", []],
  ])("takes and mounts a file system %s", (type, options) => {
    run(`mkfs.${type}`, [...options, `${DISK}1`]);
    run("mount", [`${DISK}1`, "/mnt"]);
    expect(run("findmnt", ["--noheadings", "--output", "FSTYPE", "/mnt"]).trim()).toBe(type);
    run("umount", ["/mnt"]);
  });

  it.each([
    ["xfs", ["-q", "-f"]],
    ["btrfs", ["-q", "-f"]],
  ])("shares blocks between files on %s", (type, options) => {
    run(`mkfs.${type}`, [...options, `${DISK}1`]);
    run("mount", [`${DISK}1`, "/mnt"]);
    try {
      run("dd", ["if=/dev/urandom", "of=/mnt/a", "bs=1M", "count=2", "status=none"]);
      run("cp", ["--reflink=always", "/mnt/a", "/mnt/b"]);
      expect(run("cmp", ["/mnt/a", "/mnt/b"])).toBe("");
    } finally {
      run("umount", ["/mnt"]);
    }
  });
});
