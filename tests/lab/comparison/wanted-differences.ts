import type { WantedDifference } from "../../compatibility/wanted-differences.js";

const OPEN_VOLUMES =
  "issue of host storage, 2: 'a volume group with open volumes is never deactivated under them'; libvirt's own words for a volume in use";

const SNAPSHOTS =
  "issue of host storage, 2: 'create plain, thin-snapshot (capacity ≠ allocation, backing)'; libvirtd's command is none that this LVM takes";

const SNAPSHOTS_GONE =
  "issue of host storage, 2: 'delete with snapshots'; libvirtd goes on to list the snapshots that went with their origin";

const ROOM =
  "issue of volumes, 8: ENOSPC in any write is told in our own words, the same for every stream; the code is libvirt's";

const KEPT_FORMAT =
  "issue of host storage, 2, and docs/explanation/disk.md: what a partition was made for stays known; libvirtd forgets it with the next partition";

const ZFS_REPORTED = "issue of host storage, 2: zfs: 'errors reported instead of swallowed'";

const ZFS_OPERATIONS =
  "issue of host storage, 2: zfs: 'zvol create (thick, sparse), delete, resize'; 3: 'clone across pools of different types, wipe' work on every type";

const ZFS_KEY =
  "a volume's key is what libvirtd has for it after a refresh; right after its creation it has another one";

const ZFS_PATH = "the path is where ZFS's rule for udev puts the device: a '+' for a space; libvirtd's leads nowhere";

const ZFS_PROGRAM =
  "issue of host storage, 4: 'a message that says what was run': by its whole path, as of all programs; a new volume has a temporary name";

/**
 * Where cisternd is meant to answer otherwise than libvirtd 9.0.0 on storage of the lab, as in
 * tests/compatibility/wanted-differences.ts. `script` is "type/file name".
 */
export const WANTED_DIFFERENCES: readonly WantedDifference[] = [
  {
    script: "disk/dos.virsh",
    step: "vol-dumpxml --pool d sda1",
    ours: "<format type='linux'/>",
    orderedBy: KEPT_FORMAT,
  },
  {
    script: "logical/failures.py",
    step: "delete while it is open",
    ours: "volume 'v' is still in use: 'v' is open",
    orderedBy: OPEN_VOLUMES,
  },
  {
    script: "logical/seen.virsh",
    step: "vol-delete --pool p snap",
    ours: "Storage volume not found: no storage vol with matching path 'snap'",
    orderedBy: SNAPSHOTS_GONE,
  },
  {
    script: "logical/seen.virsh",
    step: "vol-list p",
    ours: "-------\\n\\n",
    orderedBy: SNAPSHOTS_GONE,
  },
  {
    script: "logical/seen.virsh",
    step: "vol-list p #2",
    ours: "-------\\n\\n",
    orderedBy: SNAPSHOTS_GONE,
  },
  {
    script: "logical/snapshots.virsh",
    step: "vol-create-as p over 32M --allocation 8M --backing-vol base",
    ours: "Vol over created",
    orderedBy: SNAPSHOTS,
  },
  {
    script: "logical/snapshots.virsh",
    step: "vol-create-as p over2 16M --allocation 8M --backing-vol /dev/cmp/base",
    ours: "Vol over2 created",
    orderedBy: SNAPSHOTS,
  },
  {
    script: "logical/volumes.virsh",
    step: "vol-upload --pool p a $WORK/in --offset 15000000",
    ours: "cannot write to stream: No space left on device",
    orderedBy: ROOM,
  },
  {
    script: "zfs/failures.virsh",
    step: "pool-start n",
    ours: "cannot open 'nothing': no such pool",
    orderedBy: ZFS_REPORTED,
  },
  {
    script: "zfs/failures.virsh",
    step: "pool-list --all",
    ours: "n      inactive",
    orderedBy: ZFS_REPORTED,
  },
  {
    script: "zfs/failures.virsh",
    step: "pool-destroy n",
    ours: "storage pool 'n' is not active",
    orderedBy: ZFS_REPORTED,
  },
  {
    script: "zfs/failures.virsh",
    step: "pool-delete n",
    ours: "(/usr/sbin/zpool destroy nothing)",
    orderedBy: ZFS_PROGRAM,
  },
  {
    script: "zfs/lifecycle.virsh",
    step: "pool-build z #2",
    ours: "(/usr/sbin/zpool create tank /dev/loop0)",
    orderedBy: ZFS_PROGRAM,
  },
  {
    script: "zfs/lifecycle.virsh",
    step: "vol-create-as z big 1T",
    ours: ": out of space",
    orderedBy: ZFS_PROGRAM,
  },
  {
    script: "zfs/lifecycle.virsh",
    step: "vol-list z #2",
    ours: "/dev/zvol/tank/bad+name",
    orderedBy: ZFS_PATH,
  },
  {
    script: "zfs/lifecycle.virsh",
    step: "vol-dumpxml --pool z a",
    ours: "<key>tank/a</key>",
    orderedBy: ZFS_KEY,
  },
  {
    script: "zfs/lifecycle.virsh",
    step: "vol-dumpxml --pool z sparse",
    ours: "<key>tank/sparse</key>",
    orderedBy: ZFS_KEY,
  },
  {
    script: "zfs/lifecycle.virsh",
    step: "vol-key --pool z a",
    ours: "tank/a",
    orderedBy: ZFS_KEY,
  },
  {
    script: "zfs/lifecycle.virsh",
    step: "vol-resize --pool z a 32M",
    ours: "successfully changed to 32M",
    orderedBy: ZFS_OPERATIONS,
  },
  {
    script: "zfs/lifecycle.virsh",
    step: "vol-clone --pool z a b",
    ours: "Vol b cloned from a",
    orderedBy: ZFS_OPERATIONS,
  },
  {
    script: "zfs/lifecycle.virsh",
    step: "vol-list z #3",
    ours: " b          /dev/zvol/tank/b",
    orderedBy: ZFS_OPERATIONS,
  },
  {
    script: "zfs/lifecycle.virsh",
    step: "vol-wipe --pool z a",
    ours: "Vol a wiped",
    orderedBy: ZFS_OPERATIONS,
  },
  {
    script: "zfs/lifecycle.virsh",
    step: "vol-list z #4",
    ours: " b          /dev/zvol/tank/b",
    orderedBy: ZFS_OPERATIONS,
  },
];
