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
];
