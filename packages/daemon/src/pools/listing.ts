import { POOL_TYPES } from "@cistern/documents";
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

/** The bit of a pool type: they follow the other filters, in libvirt's order of types. */
const FIRST_TYPE_BIT = 0x40;
const bitOfType = new Map(POOL_TYPES.map((type, index) => [type, FIRST_TYPE_BIT << index]));
const TYPE_BITS = [...bitOfType.values()].reduce((all, bit) => all | bit, 0);
const LIST_FLAGS = 0x3f | TYPE_BITS;

/** Pools that pass libvirt's filter flags: bits of one group are alternatives, groups are conditions. */
export function filterPools(pools: Iterable<Pool>, flags: number): Pool[] {
  checkFlags(flags, LIST_FLAGS, "storageConnectListAllStoragePools");
  return [...pools].filter((pool) => {
    const properties =
      (pool.active ? ListFlags.ACTIVE : ListFlags.INACTIVE) |
      (pool.persistent ? ListFlags.PERSISTENT : ListFlags.TRANSIENT) |
      (pool.autostart ? ListFlags.AUTOSTART : ListFlags.NO_AUTOSTART) |
      (bitOfType.get(pool.live.type) ?? 0);
    return FILTER_GROUPS.every((group) => (flags & group) === 0 || (flags & group & properties) !== 0);
  });
}

const FILTER_GROUPS = [
  ListFlags.ACTIVE | ListFlags.INACTIVE,
  ListFlags.PERSISTENT | ListFlags.TRANSIENT,
  ListFlags.AUTOSTART | ListFlags.NO_AUTOSTART,
  TYPE_BITS,
];
