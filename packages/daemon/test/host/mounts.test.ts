import { describe, expect, it } from "vitest";
import { whyHangProne } from "../../dist/host/file-system-types.js";
import { hostLimits } from "../../dist/host/index.js";
import type { Entries } from "../../dist/host/links.js";
import { type Location, locate, type Mount, MountTable, mountPointAt } from "../../dist/host/mounts.js";

/** The walk with symlinks from a table; `touched` lists what it looked at. */
function walk(
  table: string,
  path: string,
  links: Readonly<Record<string, string>> = {},
): { location: Location; touched: string[] } {
  const touched: string[] = [];
  const steps = locate(new MountTable(table), path);
  let step = steps.next();
  while (!step.done) {
    step = steps.next(firstLink(step.value, links, touched));
  }
  return { location: step.value, touched };
}

function firstLink({ path, ends }: Entries, links: Readonly<Record<string, string>>, touched: string[] = []) {
  for (const [index, end] of ends.entries()) {
    const entry = path.slice(0, end);
    touched.push(entry);
    const content = links[entry];
    if (content !== undefined) return { index, content };
  }
  return null;
}

/** What is mounted just at a path. */
function mountAt(path: string, links: Readonly<Record<string, string>> = {}): Mount | null {
  const steps = mountPointAt(new MountTable(table), path);
  let step = steps.next();
  while (!step.done) step = steps.next(firstLink(step.value, links));
  return step.value;
}

function mount(id: number, parent: number, point: string, type: string): string {
  return `${id} ${parent} 0:${id} / ${point} rw,relatime shared:1 - ${type} source rw\n`;
}

const table =
  mount(1, 0, "/", "ext4") +
  mount(2, 1, "/srv/nfs", "nfs4") +
  mount(3, 1, "/data", "xfs") +
  mount(4, 3, "/data/remote", "fuse.sshfs") +
  mount(5, 1, "/with\\040blank", "ceph") +
  mount(6, 1, "/auto", "autofs") +
  mount(7, 6, "/auto", "ext4") +
  mount(8, 1, "/net", "autofs");

describe("what is mounted at a path", () => {
  const links = { "/link": "/data", "/deep": "srv/nfs/" };
  it.each([
    ["/", 1],
    ["/data", 3],
    ["/data/", 3],
    ["//data/.", 3],
    ["/link", 3],
    ["/deep", 2],
    ["/srv/nfs", 2],
    ["/srv/nfs/.", 2],
    ["/with blank", 5],
    // The last of several on one mount point is the one that is seen.
    ["/auto", 7],
    ["/data/images", null],
    ["/srv/nfs/pool", null],
    ["/srv", null],
    ["/absent", null],
  ])("%s: mount %s", (path, id) => {
    expect(mountAt(path, links)?.id ?? null).toBe(id);
  });
});

describe("the home of a path", () => {
  it.each([
    ["/var/lib/images", "local", ""],
    ["/srv/nfs", "remote", "/srv/nfs"],
    ["/srv/nfs/pool/x", "remote", "/srv/nfs"],
    ["/srv/nfsx", "local", ""],
    ["/srv//./nfs/", "remote", "/srv/nfs"],
    ["/srv/nfs/../..", "remote", "/srv/nfs"],
    ["/srv/x/../nfs/pool", "remote", "/srv/nfs"],
    ["/data/images", "local", ""],
    ["/data/remote/images", "remote", "/data/remote"],
    ["/with blank/x", "remote", "/with blank"],
    ["/net/server", "remote", "/net"],
    ["/", "local", ""],
  ])("%s is %s %s", (path, home, mountPoint) => {
    const { location } = walk(table, path);
    expect(location.home).toBe(home);
    if (location.home === "remote") expect(location.mount.mountPoint).toBe(mountPoint);
  });

  it("is that of the file system an automount has put in its place", () => {
    expect(walk(table, "/auto/pool").location.home).toBe("local");
  });

  it("is found without a look at anything below a mount that may hang", () => {
    expect(walk(table, "/srv/nfs/pool/x").touched).toEqual(["/srv"]);
    expect(walk(table, "/data/remote/pool/x").touched).toEqual([]);
  });

  it.each([
    ["an absolute symlink", "/link/pool", { "/link": "/srv/nfs" }, "/srv/nfs/pool"],
    ["a relative symlink", "/var/link/pool", { "/var/link": "../srv/nfs" }, "/srv/nfs/pool"],
    ["a symlink in a symlink", "/a/x", { "/a": "b", "/b": "/srv/nfs/deep" }, "/srv/nfs/deep/x"],
    ["a symlink inside another mount", "/data/l", { "/data/l": "remote/y" }, "/data/remote/y"],
  ])("follows %s", (_, path, links, lead) => {
    const { location } = walk(table, path, links);
    expect(location).toMatchObject({ home: "remote", path: lead });
  });

  it("is found however many components a path has, each looked at once", () => {
    const deep = Array.from({ length: 3 * hostLimits.entriesAtOnce + 1 }, (_, depth) => "/d".repeat(depth + 1));
    const last = deep.at(-1) ?? "";
    expect(walk(table, last).touched).toEqual(deep);
    expect(walk(table, last, { [last]: "/srv/nfs" }).location).toMatchObject({ home: "remote", path: "/srv/nfs" });
  });

  it("ends on symlinks that lead in circles", () => {
    expect(walk(table, "/a", { "/a": "/b", "/b": "/a" }).location.home).toBe("local");
  });

  it("does not see a mount that another one covers", () => {
    const covered = mount(1, 0, "/", "ext4") + mount(2, 1, "/a/b", "nfs") + mount(3, 1, "/a", "xfs");
    expect(walk(covered, "/a/b/c").location.home).toBe("local");
  });

  it("sees the last of several mounts on one point", () => {
    const stacked = mount(1, 0, "/", "ext4") + mount(2, 1, "/a", "nfs") + mount(3, 2, "/a", "tmpfs");
    expect(walk(stacked, "/a/x").location.home).toBe("local");
    const other = mount(1, 0, "/", "ext4") + mount(2, 1, "/a", "tmpfs") + mount(3, 2, "/a", "cifs");
    expect(walk(other, "/a/x").location.home).toBe("remote");
  });

  it("is judged in a chroot too, whose root is not listed", () => {
    expect(walk(mount(9, 5, "/srv", "nfs"), "/srv/x").location.home).toBe("remote");
    expect(walk(mount(9, 5, "/srv", "nfs"), "/var/x").location.home).toBe("local");
  });
});

describe("file-system types", () => {
  it.each([
    "fuse",
    "fuseblk",
    "fuse.lxcfs",
    "fuse.glusterfs",
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "ceph",
    "9p",
    "afs",
    "lustre",
    "gfs2",
  ])("%s may hang", (type) => expect(whyHangProne(type)).not.toBeNull());
  it.each(["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "vfat", "constructor"])("%s is local", (type) => {
    expect(whyHangProne(type)).toBeNull();
  });
});
