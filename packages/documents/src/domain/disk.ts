import type { VolumeEncryption } from "../volume.js";

/** What a disk is to its guest. `lun`: a SCSI device that the guest may send commands to. */
export const DISK_DEVICES = ["disk", "cdrom", "floppy", "lun"] as const;
export type DiskDevice = (typeof DISK_DEVICES)[number];

export const DISK_SOURCE_TYPES = [
  "file",
  "block",
  "dir",
  "network",
  "volume",
  "nvme",
  "vhostuser",
  "vhostvdpa",
] as const;
export type DiskSourceType = (typeof DISK_SOURCE_TYPES)[number];

/** How an iSCSI pool's volume is used: by the host's device, or by qemu's own initiator. */
export const VOLUME_MODES = ["host", "direct"] as const;
export type VolumeMode = (typeof VOLUME_MODES)[number];

export interface NetworkHost {
  /** null for a socket. */
  readonly name: string | null;
  /** null: the protocol's own. */
  readonly port: number | null;
  /** null: tcp. */
  readonly transport: string | null;
  readonly socket: string | null;
}

/** `type` is the secret's: `ceph`, `iscsi`. */
export interface DiskAuthentication {
  readonly username: string;
  readonly type: string;
  readonly secret: { readonly uuid: string } | { readonly usage: string };
}

/** Where the bytes are. A path is null where nothing is in the drive. */
export type DiskSource =
  | { readonly type: "file" | "block" | "dir" | "vhostvdpa"; readonly path: string | null }
  | {
      readonly type: "network";
      readonly protocol: string;
      /** `pool/image`, `volume/path`, `target/lun` …; null where the protocol has none. */
      readonly name: string | null;
      readonly hosts: readonly NetworkHost[];
      readonly authentication: DiskAuthentication | null;
      readonly initiatorIqn: string | null;
      /** Of rbd: the snapshot that is read. */
      readonly snapshot: string | null;
      /** Of http: what follows the name. */
      readonly query: string | null;
    }
  | {
      readonly type: "volume";
      readonly pool: string;
      readonly volume: string;
      /** null: `host`. */
      readonly mode: VolumeMode | null;
    }
  | {
      readonly type: "nvme";
      readonly namespace: number;
      /** `0000:01:00.0`. */
      readonly address: string;
    }
  | { readonly type: "vhostuser"; readonly path: string };

/** A file that holds the guest's data where the image itself has only tables. */
export interface DataStore {
  readonly source: DiskSource;
  readonly format: string | null;
}

/** A link of the backing chain. `backing`: null where the chain is not said further, "end" where it ends. */
export interface DiskBacking {
  readonly source: DiskSource;
  readonly format: string | null;
  readonly encryption: VolumeEncryption | null;
  readonly dataStore: DataStore | null;
  readonly backing: DiskBacking | "end" | null;
}

/** Where the disk's content is being copied to, by a block job. */
export interface DiskMirror {
  readonly source: DiskSource | null;
  readonly format: string | null;
  /** `copy`, `active-commit`; null: copy. */
  readonly job: string | null;
  readonly backing: DiskBacking | "end" | null;
}

export interface DiskDriver {
  /** `qemu`. */
  readonly name: string | null;
  /** The image's format: `raw`, `qcow2` …; null: the hypervisor's default. */
  readonly type: string | null;
  readonly cache: string | null;
  readonly io: string | null;
  readonly discard: string | null;
}

/** A disk of a guest, as much of it as storage has to do with. */
export interface DiskDocument {
  readonly device: DiskDevice;
  readonly driver: DiskDriver;
  readonly source: DiskSource;
  readonly encryption: VolumeEncryption | null;
  readonly dataStore: DataStore | null;
  readonly backing: DiskBacking | "end" | null;
  readonly mirror: DiskMirror | null;
  /** The name in the guest, which is unique there: `vda`. */
  readonly target: string;
  /** `virtio`, `scsi`, `sata` …; null: what libvirt takes for such a name. */
  readonly bus: string | null;
  /** `type='drive' controller='0' …` as it is said; null: not said. */
  readonly address: Readonly<Record<string, string>> | null;
  readonly isReadOnly: boolean;
  readonly isShareable: boolean;
  /** What the guest writes is lost when it ends. */
  readonly isTransient: boolean;
  readonly serial: string | null;
  readonly alias: string | null;
}
