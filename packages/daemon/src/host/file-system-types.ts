/**
 * File-system types whose calls wait for something other than a disk of this machine: a server, a cluster, a user's
 * process. When that does not answer, the calling thread sleeps in the kernel for as long as it takes, so such storage is
 * only touched from a child process that can be left behind. Types are as in /proc/self/mountinfo; the part after a dot
 * is a subtype ("fuse.sshfs", "fuse.glusterfs").
 */
const hangProneTypes: Readonly<Record<string, string>> = {
  fuse: "A process answers; it may be stopped, busy, or wait for a network (sshfs, glusterfs, s3fs, rclone).",
  fuseblk: "A process answers (ntfs-3g, exfat), though the data is on a disk.",
  fusectl: "Lists FUSE connections; cheap, but nothing for pools.",
  virtiofs: "The hypervisor's process answers.",
  nfs: "An NFS server answers; a hard mount waits for ever.",
  nfs4: "An NFS server answers; a hard mount waits for ever.",
  cifs: "An SMB server answers.",
  smb3: "An SMB server answers.",
  smbfs: "An SMB server answers (before Linux 2.6.37).",
  ncpfs: "A NetWare server answers.",
  ceph: "A Ceph cluster answers.",
  glusterfs: "A Gluster volume answers.",
  lustre: "A Lustre cluster answers.",
  gpfs: "A Spectrum Scale cluster answers.",
  beegfs: "A BeeGFS cluster answers.",
  pvfs2: "An OrangeFS cluster answers.",
  orangefs: "An OrangeFS cluster answers.",
  panfs: "A Panasas cluster answers.",
  gfs2: "On a shared disk, but each lock is asked of the cluster, which stops while a node is fenced.",
  gfs: "As gfs2.",
  ocfs2: "On a shared disk, but each lock is asked of the cluster, which stops while a node is fenced.",
  afs: "An AFS cell answers.",
  coda: "Venus, a process, answers.",
  "9p": "A server or the hypervisor answers.",
  vboxsf: "The hypervisor answers.",
  vmhgfs: "The hypervisor answers.",
  prl_fs: "The hypervisor answers.",
  drvfs: "Windows answers.",
  acfs: "An Oracle cluster answers.",
  autofs: "Looking below it mounts something, mostly from the network, and waits until that is done.",
};

/** Why the type is only touched from a child process; null where it is local. */
export function whyHangProne(type: string): string | null {
  const base = type.split(".", 1)[0] ?? type;
  return Object.hasOwn(hangProneTypes, base) ? (hangProneTypes[base] ?? null) : null;
}

export const BTRFS_MAGIC = 0x9123_683e;
export const EXT_MAGIC = 0xef53;

/** File systems that never write over what is there, by statfs's f_type: what was overwritten stays until it is reused. */
const copyOnWriteMagics: ReadonlyMap<number, string> = new Map([
  [BTRFS_MAGIC, "btrfs"],
  [0x2fc1_2fc1, "zfs"],
  [0xca45_1a4e, "bcachefs"],
  [0x794c_7630, "overlay: a file of the layer below is copied first"],
  [0xf2f5_2010, "f2fs: a log"],
  [0x3434, "nilfs2: a log"],
  [0x2405_1905, "ubifs: a log"],
]);

export function copiesOnWrite(magic: number): boolean {
  return copyOnWriteMagics.has(magic);
}

/**
 * File systems that cannot share blocks between files, by statfs's f_type. Of all others a copy in the kernel
 * (copy_file_range) may become a reflink: xfs, btrfs and zfs make one, and so may the server of a network file system.
 */
const unsharedMagics: ReadonlyMap<number, string> = new Map([
  [EXT_MAGIC, "ext2, ext3, ext4"],
  [0x0102_1994, "tmpfs"],
]);

export function neverSharesBlocks(magic: number): boolean {
  return unsharedMagics.has(magic);
}
