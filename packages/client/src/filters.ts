import { storage } from "@cistern/protocol";
import { numberOf } from "./wrong-arguments.js";

/** Which pools a listing has; all where nothing is said. Conditions of different kinds must all hold. */
export interface PoolFilter {
  /** Running, or (false) not. */
  readonly active?: boolean | undefined;
  /** With a definition, or (false) gone when they stop. */
  readonly persistent?: boolean | undefined;
  /** Started with the host, or (false) not. */
  readonly autostart?: boolean | undefined;
  /** Pools of any of these types. */
  readonly types?: readonly PoolTypeName[] | undefined;
}

/** Which guests a listing has; all where nothing is said. */
export interface DomainFilter {
  /** Running or paused, or (false) neither. */
  readonly active?: boolean | undefined;
  /** With a definition, or (false) gone when they end. */
  readonly persistent?: boolean | undefined;
}

/** Which secrets a listing has; all where nothing is said. */
export interface SecretFilter {
  /** Kept in memory alone. */
  readonly ephemeral?: boolean | undefined;
  /** Whose value is given to nobody. */
  readonly private?: boolean | undefined;
}

/** Bits of CONNECT_LIST_ALL_STORAGE_POOLS. */
const ListPools = { INACTIVE: 1, ACTIVE: 2, PERSISTENT: 4, TRANSIENT: 8, AUTOSTART: 0x10, NO_AUTOSTART: 0x20 } as const;
/** Pool types in the order of their bits, of which this is the first. */
const FIRST_TYPE = 0x40;
/** All types of pools, as their documents spell them. */
export const POOL_TYPE_NAMES = [
  "dir",
  "fs",
  "netfs",
  "logical",
  "disk",
  "iscsi",
  "scsi",
  "mpath",
  "rbd",
  "sheepdog",
  "gluster",
  "zfs",
  "vstorage",
  "iscsi-direct",
] as const;
/** A pool's type, as its document spells it. */
export type PoolTypeName = (typeof POOL_TYPE_NAMES)[number];

/** Bits of CONNECT_LIST_ALL_DOMAINS. */
const ListDomains = { ACTIVE: 1, INACTIVE: 2, PERSISTENT: 4, TRANSIENT: 8 } as const;
/** Bits of CONNECT_LIST_ALL_SECRETS. */
const ListSecrets = { EPHEMERAL: 1, NO_EPHEMERAL: 2, PRIVATE: 4, NO_PRIVATE: 8 } as const;

export function poolListFlags({ active, persistent, autostart, types = [] }: PoolFilter): number {
  return types.reduce(
    (flags, type) =>
      flags | (FIRST_TYPE << numberOf(POOL_TYPE_NAMES, type, storage.connectListAllStoragePools, "types")),
    choose(active, ListPools.ACTIVE, ListPools.INACTIVE) |
      choose(persistent, ListPools.PERSISTENT, ListPools.TRANSIENT) |
      choose(autostart, ListPools.AUTOSTART, ListPools.NO_AUTOSTART),
  );
}

export function domainListFlags({ active, persistent }: DomainFilter): number {
  return (
    choose(active, ListDomains.ACTIVE, ListDomains.INACTIVE) |
    choose(persistent, ListDomains.PERSISTENT, ListDomains.TRANSIENT)
  );
}

export function secretListFlags({ ephemeral, private: isPrivate }: SecretFilter): number {
  return (
    choose(ephemeral, ListSecrets.EPHEMERAL, ListSecrets.NO_EPHEMERAL) |
    choose(isPrivate, ListSecrets.PRIVATE, ListSecrets.NO_PRIVATE)
  );
}

function choose(wanted: boolean | undefined, yes: number, no: number): number {
  return wanted === undefined ? 0 : wanted ? yes : no;
}
