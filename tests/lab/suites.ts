// The lab's suites: where each runs, how long it may take, and what it cannot do without.

export interface LabSuite {
  /** Its file is suites/<name>.test.ts; on the lane "host", host/<name>.test.ts. */
  readonly name: string;
  /** The guest that it runs in. On "host" it runs outside and boots guests itself. */
  readonly lane: "uml" | "qemu" | "host";
  /** Time limit, from boot to power-off: many times what it takes, because machines are busy. */
  readonly minutes: number;
  readonly memoryMb?: number;
  /** Programs of the machine, which are the guest's too. Where one is missing the suite is skipped, and that is said. */
  readonly programs: readonly string[];
}

export const LAB_SUITES: readonly LabSuite[] = [
  { name: "lvm", lane: "uml", minutes: 6, programs: ["lvcreate", "thin_check", "losetup"] },
  { name: "iscsi-lio", lane: "uml", minutes: 6, programs: ["iscsid", "multipathd", "kpartx"] },
  { name: "iscsi-tgt", lane: "uml", minutes: 6, programs: ["iscsid", "tgtd"] },
  { name: "nfs", lane: "uml", minutes: 6, programs: ["rpc.nfsd", "rpcbind", "mount.nfs", "showmount"] },
  { name: "cifs", lane: "uml", minutes: 6, programs: ["smbd", "mount.cifs"] },
  { name: "scsi", lane: "uml", minutes: 6, programs: ["udevadm"] },
  { name: "disk", lane: "uml", minutes: 6, programs: ["parted", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "mkfs.vfat"] },
  { name: "daemon", lane: "uml", minutes: 6, programs: ["virsh", "qemu-img", "mkfs.ext4"] },
  { name: "libvirtd", lane: "uml", minutes: 6, programs: ["libvirtd", "virsh", "lvcreate"] },
  { name: "fc", lane: "qemu", minutes: 10, programs: ["lsscsi", "ip", "udevadm"] },
  { name: "zfs", lane: "qemu", minutes: 10, programs: ["libvirtd", "virsh"] },
  { name: "lanes", lane: "host", minutes: 10, programs: ["bash"] },
  { name: "power-cut", lane: "host", minutes: 10, programs: ["mkfs.ext4"] },
  { name: "logical-driver", lane: "uml", minutes: 15, programs: ["lvcreate", "thin_check", "qemu-img", "mkfs.ext4"] },
  { name: "logical", lane: "uml", minutes: 15, programs: ["virsh", "lvcreate", "thin_check", "qemu-img"] },
  { name: "zfs-driver", lane: "qemu", minutes: 20, memoryMb: 3072, programs: ["mkfs.ext4"] },
  { name: "zfs-daemon", lane: "qemu", minutes: 15, memoryMb: 3072, programs: ["virsh", "qemu-img"] },
  { name: "pool-iscsi", lane: "uml", minutes: 15, programs: ["iscsid", "tgtd", "virsh"] },
  { name: "pool-scsi", lane: "uml", minutes: 10, programs: ["udevadm", "virsh", "sg_start"] },
  { name: "pool-mpath", lane: "uml", minutes: 10, programs: ["iscsid", "multipathd", "kpartx", "virsh"] },
  { name: "pool-fc", lane: "qemu", minutes: 25, programs: ["udevadm", "virsh", "ip"] },
  { name: "disk-pools", lane: "uml", minutes: 25, programs: ["parted", "partx", "virsh", "dmsetup"] },
  {
    name: "attached-devices",
    lane: "uml",
    minutes: 10,
    programs: ["parted", "partx", "lvcreate", "libvirtd", "virsh", "qemu-system-x86_64"],
  },
  {
    name: "adoption",
    lane: "uml",
    minutes: 10,
    programs: ["parted", "lvcreate", "mkfs.ext4", "libvirtd", "virsh", "qemu-system-x86_64"],
  },
  { name: "netfs-driver", lane: "uml", minutes: 20, programs: ["rpc.nfsd", "rpcbind", "mount.nfs"] },
  {
    name: "netfs",
    lane: "uml",
    minutes: 20,
    programs: ["rpc.nfsd", "rpcbind", "mount.nfs", "showmount", "smbd", "mount.cifs", "glusterd", "gluster", "virsh"],
  },
  { name: "autostart", lane: "uml", minutes: 10, programs: ["rpc.nfsd", "rpcbind", "mount.nfs"] },
  { name: "comparison-dir", lane: "host", minutes: 6, programs: ["libvirtd", "virsh", "qemu-img"] },
  { name: "comparison-logical", lane: "host", minutes: 17, programs: ["libvirtd", "virsh", "qemu-img", "lvcreate"] },
  { name: "comparison-disk", lane: "host", minutes: 8, programs: ["libvirtd", "virsh", "parted", "mkfs.ext4"] },
  {
    name: "comparison-fs",
    lane: "host",
    minutes: 10,
    programs: ["libvirtd", "virsh", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "mkfs.vfat"],
  },
  {
    name: "comparison-netfs",
    lane: "host",
    minutes: 8,
    programs: ["libvirtd", "virsh", "rpc.nfsd", "rpcbind", "mount.nfs", "showmount"],
  },
  { name: "comparison-iscsi", lane: "host", minutes: 8, programs: ["libvirtd", "virsh", "iscsid", "tgtd"] },
  { name: "comparison-scsi", lane: "host", minutes: 7, programs: ["libvirtd", "virsh", "udevadm"] },
  { name: "comparison-mpath", lane: "host", minutes: 7, programs: ["libvirtd", "virsh", "multipathd", "dmsetup"] },
  { name: "comparison-zfs", lane: "host", minutes: 12, programs: ["libvirtd", "virsh", "udevadm"] },
  { name: "crash", lane: "host", minutes: 25, programs: ["qemu-img", "scrub", "mkfs.ext4", "mkfs.xfs"] },
];

/** Whether its guest needs ZFS: its name says so, by which scripts/lab.mjs goes too when it decides to build it. */
export function needsZfs({ name }: LabSuite): boolean {
  return name.includes("zfs");
}

/** Why `npm test` leaves it to `npm run lab` and `npm run test:long`; undefined: it does not. */
export function leftOutOfTests(suite: LabSuite): string | undefined {
  return needsZfs(suite) ? "its kernel module takes five minutes to build" : undefined;
}

/** Relative to the project. */
export function fileOf({ name, lane }: LabSuite): string {
  return `tests/lab/${lane === "host" ? "host" : "suites"}/${name}.test.ts`;
}
