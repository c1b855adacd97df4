/** Which pools a listing has; all where nothing is said. Conditions of different kinds must all hold. */
export interface PoolFilter {
  readonly active?: boolean | undefined;
  readonly persistent?: boolean | undefined;
  readonly autostart?: boolean | undefined;
  /** Pools of any of these types. */
  readonly types?: readonly PoolTypeName[] | undefined;
}

/** Which guests a listing has; all where nothing is said. */
export interface DomainFilter {
  readonly active?: boolean | undefined;
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
const ListPoolTypes = {
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
} as const;
/** Bits of CONNECT_LIST_ALL_DOMAINS. */
const ListDomains = { ACTIVE: 1, INACTIVE: 2, PERSISTENT: 4, TRANSIENT: 8 } as const;
/** Bits of CONNECT_LIST_ALL_SECRETS. */
const ListSecrets = { EPHEMERAL: 1, NO_EPHEMERAL: 2, PRIVATE: 4, NO_PRIVATE: 8 } as const;

/** A pool's type, as its document spells it. */
export type PoolTypeName = keyof typeof ListPoolTypes;

export function poolListFlags({ active, persistent, autostart, types = [] }: PoolFilter): number {
  return types.reduce(
    (flags, type) => flags | ListPoolTypes[type],
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
