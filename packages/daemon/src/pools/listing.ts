import type { PoolType } from "@cistern/documents";
import type { Pool } from "./pool.js";
import { checkFlags } from "./refusals.js";

const ListFlags = {
  INACTIVE: 0x1,
  ACTIVE: 0x2,
  PERSISTENT: 0x4,
  TRANSIENT: 0x8,
  AUTOSTART: 0x10,
  NO_AUTOSTART: 0x20,
} as const;

/** libvirt's bit of each pool type: in the order in which the types came to be. */
const TYPE_BIT: Readonly<Record<PoolType, number>> = {
  dir: 0x40,
  fs: 0x80,
  netfs: 0x100,
  logical: 0x200,
  disk: 0x400,
  iscsi: 0x800,
  scsi: 0x1000,
  mpath: 0x2000,
  rbd: 0x4000,
  sheepdog: 0x8000,
  gluster: 0x10000,
  zfs: 0x20000,
  vstorage: 0x40000,
  "iscsi-direct": 0x80000,
};
const TYPE_BITS = Object.values(TYPE_BIT).reduce((all, bit) => all | bit, 0);
const LIST_FLAGS = 0x3f | TYPE_BITS;

/** Pools that pass libvirt's filter flags: bits of one group are alternatives, groups are conditions. */
export function filterPools(pools: Iterable<Pool>, flags: number): Pool[] {
  checkFlags(flags, LIST_FLAGS, "storageConnectListAllStoragePools");
  return [...pools].filter((pool) => {
    const properties =
      (pool.active ? ListFlags.ACTIVE : ListFlags.INACTIVE) |
      (pool.persistent ? ListFlags.PERSISTENT : ListFlags.TRANSIENT) |
      (pool.autostart ? ListFlags.AUTOSTART : ListFlags.NO_AUTOSTART) |
      TYPE_BIT[pool.live.type];
    return FILTER_GROUPS.every((group) => (flags & group) === 0 || (flags & group & properties) !== 0);
  });
}

const FILTER_GROUPS = [
  ListFlags.ACTIVE | ListFlags.INACTIVE,
  ListFlags.PERSISTENT | ListFlags.TRANSIENT,
  ListFlags.AUTOSTART | ListFlags.NO_AUTOSTART,
  TYPE_BITS,
];
