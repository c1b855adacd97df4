import { describe, expect, test } from "vitest";
import { isSameSource, mountDevice, mountNetwork, networkSource, unmount } from "../../dist/tools/mount.js";

const device = { device: "/dev/vg/lv", target: "/P", format: "auto", options: [] };
const network = { source: "srv:/exp", target: "/P", format: "nfs", protocolVersion: null, options: [] } as const;

describe("mount", () => {
  test.each([
    [mountDevice(device), "-o nodev,nosuid,noexec -t auto /dev/vg/lv /P"],
    [
      mountDevice({ ...device, format: "ext4", options: ["noatime", "data=journal"] }),
      "-o nodev,nosuid,noexec,noatime,data=journal -t ext4 /dev/vg/lv /P",
    ],
    [mountNetwork(network), "-o nodev,nosuid,noexec -t nfs srv:/exp /P"],
    [mountNetwork({ ...network, protocolVersion: "4.2" }), "-o nodev,nosuid,noexec,nfsvers=4.2 -t nfs srv:/exp /P"],
    [
      mountNetwork({ ...network, protocolVersion: "3", options: ["sync", "soft"] }),
      "-o nodev,nosuid,noexec,nfsvers=3,sync,soft -t nfs srv:/exp /P",
    ],
    [mountNetwork({ ...network, format: "auto" }), "-o nodev,nosuid,noexec srv:/exp /P"],
    [
      mountNetwork({ ...network, format: "auto", protocolVersion: "4" }),
      "-o nodev,nosuid,noexec,nfsvers=4 srv:/exp /P",
    ],
    [
      mountNetwork({ ...network, format: "glusterfs", source: "srv:gv0", protocolVersion: "3", options: ["ro"] }),
      "-o nodev,nosuid,noexec,direct-io-mode=1,ro -t glusterfs srv:gv0 /P",
    ],
    [
      mountNetwork({ ...network, format: "cifs", source: "//srv/share", options: ["vers=3.0"] }),
      "-o nodev,nosuid,noexec,guest,vers=3.0 -t cifs //srv/share /P",
    ],
  ])("%#: %s", (command, args) => {
    // What serves a mount must not end as an orphan of the daemon that mounted it.
    expect(command).toEqual({ program: "mount", args: args.split(" "), leavesRunning: true });
  });

  test("blanks and commas of a path stay one argument", () => {
    const { args } = mountNetwork({ ...network, source: "srv:/a, b", target: "/P q" });
    expect(args.slice(-2)).toEqual(["srv:/a, b", "/P q"]);
  });
});

test("umount", () => {
  expect(unmount("/P")).toEqual({ program: "umount", args: ["/P"] });
});

describe("sources", () => {
  test.each([
    ["nfs", "srv", "/exp", "srv:/exp"],
    ["auto", "srv", "/exp/b dir", "srv:/exp/b dir"],
    ["glusterfs", "srv", "gv0", "srv:gv0"],
    ["cifs", "srv", "share", "//srv/share"],
    // With libvirt's two slashes, the kernel looks for a share without a name.
    ["cifs", "srv", "/share", "//srv/share"],
    ["cifs", "srv", "//share/sub", "//srv/share/sub"],
    ["nfs", "fe80::1", "/exp", "[fe80::1]:/exp"],
    ["nfs", "[fe80::1]", "/exp", "[fe80::1]:/exp"],
  ] as const)("%s %s %s is %s", (format, host, directory, expected) => {
    expect(networkSource(format, { host, directory })).toBe(expected);
  });

  test.each([
    ["srv:/exp", "srv:/exp", true],
    // The kernel's words for `srv:/exp/`.
    ["srv:/exp", "srv:/exp/", true],
    ["srv:/exp/a", "srv:/exp//a", true],
    ["srv:/", "srv:/", true],
    ["//srv/share", "//srv/share", true],
    ["srv:/exp", "srv:/exp2", false],
    ["srv:/", "srv:", false],
    ["other:/exp", "srv:/exp", false],
    ["srv:gv0", "srv:/gv0", false],
  ])("%s is %s: %s", (mounted, wanted, same) => {
    expect(isSameSource(mounted, wanted)).toBe(same);
  });
});
