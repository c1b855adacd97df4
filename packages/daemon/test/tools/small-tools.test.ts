import { describe, expect, test } from "vitest";
import { lookUp, parseName } from "../../dist/tools/getent.js";
import { mkfs } from "../../dist/tools/mkfs.js";
import { clusterSource, mountCluster } from "../../dist/tools/vstorage-mount.js";

test.each([
  ["auto", "-t auto /dev/d"],
  ["ext2", "-t ext2 -F /dev/d"],
  ["ext3", "-t ext3 -F /dev/d"],
  ["ext4", "-t ext4 -F /dev/d"],
  ["xfs", "-t xfs -f /dev/d"],
  ["vfat", "-t vfat -I /dev/d"],
  ["ocfs2", "-t ocfs2 /dev/d"],
  // Not a key of the table, though it is one of every object.
  ["constructor", "-t constructor /dev/d"],
])("mkfs of %s", (format, args) => {
  expect(mkfs(format, "/dev/d")).toEqual({ program: "mkfs", args: args.split(" ") });
});

describe("vstorage-mount", () => {
  test("the command line", () => {
    const wanted = { cluster: "stor1", target: "/P", mode: 0o711, user: "root", group: "kvm" };
    const args = "-c stor1 /P -m 711 -g kvm -u root".split(" ");
    expect(mountCluster(wanted)).toEqual({ program: "vstorage-mount", args, leavesRunning: true });
  });

  test("what the mount table says", () => {
    expect(clusterSource("stor1")).toBe("vstorage://stor1");
  });
});

describe("getent", () => {
  test("the command line", () => {
    expect(lookUp("group", 36)).toEqual({ program: "getent", args: ["group", "36"] });
  });

  test.each([
    ["root:x:0:0:root:/root:/bin/bash\n", "root"],
    ["kvm:x:104:\n", "kvm"],
    ["", null],
    ["\n", null],
    [":x:0:", null],
    ["no such line", null],
  ])("%j names %s", (output, name) => {
    expect(parseName(output)).toBe(name);
  });
});
