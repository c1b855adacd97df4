import type { Permissions } from "./permissions.js";

/** The pool types in libvirt's order: the index is libvirt's number of the type ("missing backend for pool type 12"). */
export const POOL_TYPES = [
  "dir",
  "fs",
  "netfs",
  "logical",
  "disk",
  "iscsi",
  "iscsi-direct",
  "scsi",
  "mpath",
  "rbd",
  "sheepdog",
  "gluster",
  "zfs",
  "vstorage",
] as const;
export type PoolType = (typeof POOL_TYPES)[number];

export interface PoolHost {
  readonly name: string;
  /** 0: not said. */
  readonly port: number;
}
export interface PoolDevice {
  readonly path: string;
  readonly partSeparator: boolean | null;
  /** Free space on a disk, filled by a scan. Bytes from the start of the device. */
  readonly freeExtents: readonly { readonly startBytes: bigint; readonly endBytes: bigint }[];
}
export type PoolAdapter =
  | {
      readonly type: "scsi_host";
      readonly name: string | null;
      readonly parentAddress: {
        readonly uniqueId: number | null;
        readonly domain: number;
        readonly bus: number;
        readonly slot: number;
        readonly function: number;
      } | null;
    }
  | {
      readonly type: "fc_host";
      readonly parent: string | null;
      readonly parentWwnn: string | null;
      readonly parentWwpn: string | null;
      readonly parentFabricWwn: string | null;
      readonly managed: boolean | null;
      readonly wwnn: string;
      readonly wwpn: string;
    };
export interface PoolAuthentication {
  readonly type: "chap" | "ceph";
  readonly username: string;
  readonly secret: { readonly uuid: string } | { readonly usage: string };
  /** `<secret type=…>`, kept as it was said. */
  readonly secretType?: string;
}
export interface PoolSource {
  readonly hosts: readonly PoolHost[];
  readonly devices: readonly PoolDevice[];
  readonly directory: string | null;
  readonly adapter: PoolAdapter | null;
  readonly name: string | null;
  readonly initiatorIqn: string | null;
  /** A pool source format of the type (`nfs`, `lvm2`, `gpt` …), null where the type has none. */
  readonly format: string | null;
  readonly authentication: PoolAuthentication | null;
  readonly protocolVersion: string | null;
  readonly vendor: string | null;
  readonly product: string | null;
}
export interface PoolDocument {
  readonly type: PoolType;
  readonly name: string;
  /** Lower case, 8-4-4-4-12. */
  readonly uuid: string;
  readonly capacityBytes: bigint;
  readonly allocationBytes: bigint;
  readonly availableBytes: bigint;
  /** `<features><cow state=…/>`, null: not said. */
  readonly copyOnWrite: boolean | null;
  readonly source: PoolSource;
  readonly target: { readonly path: string | null; readonly permissions: Permissions };
  readonly refreshVolumeAllocation: "default" | "capacity" | null;
  /** Names of `fs:option`. */
  readonly mountOptions: readonly string[];
  readonly rbdOptions: readonly { readonly name: string; readonly value: string }[];
}
