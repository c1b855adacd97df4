import { DocumentError, DocumentErrorCode, DocumentErrorDomain } from "../errors.js";
import type { PoolDocument, PoolSource, PoolType } from "../pool.js";
import type { VolumeDocument } from "../volume.js";
import type {
  DataStore,
  DiskAuthentication,
  DiskBacking,
  DiskDevice,
  DiskDocument,
  DiskDriver,
  DiskSource,
  NetworkHost,
  VolumeMode,
} from "./disk.js";

export interface DiskWish {
  /** The name in the guest: `vdb`. */
  readonly target: string;
  /** null: what libvirt takes for such a name. */
  readonly bus?: string | null;
  /** By the names of pool and volume, which the hypervisor's host looks up when the guest starts; else by path or address. */
  readonly byName?: boolean;
  /** Of iSCSI pools, by name. */
  readonly mode?: VolumeMode | null;
  /** The chain behind the image, where it is to be said. */
  readonly backing?: DiskBacking | "end" | null;
  /** What holds the image's data, where it has only tables and that is to be said. */
  readonly dataStore?: DataStore | null;
}

/** What libvirt takes for the first letters of a target. */
const BUSES: Readonly<Record<string, string>> = {
  vd: "virtio",
  sd: "scsi",
  hd: "ide",
  fd: "fdc",
  xvd: "xen",
  ubd: "uml",
};

type Way = "file" | "block" | "network";

const WAYS: Readonly<Record<PoolType, Way>> = {
  dir: "file",
  fs: "file",
  netfs: "file",
  vstorage: "file",
  disk: "block",
  logical: "block",
  iscsi: "block",
  scsi: "block",
  mpath: "block",
  zfs: "block",
  rbd: "network",
  gluster: "network",
  sheepdog: "network",
  "iscsi-direct": "network",
};

const PLAIN_DRIVER: DiskDriver = { name: "qemu", type: "raw", cache: null, io: null, discard: null };

/** A device has no page cache to share with the host: as virt-manager and libvirt's guide have it. */
const DEVICE_DRIVER: DiskDriver = { ...PLAIN_DRIVER, cache: "none", io: "native" };

/** Formats of volumes that are something else to a guest. */
const DRIVER_TYPES: Readonly<Record<string, string>> = { iso: "raw", unknown: "raw", none: "raw", ext2: "raw" };

/**
 * The disk that a guest has to have to use a volume.
 *
 * @throws DocumentError 8/18 for a target that is no disk's name, 67/18 for what QEMU has no way to use
 */
export function diskOfVolume(pool: PoolDocument, volume: VolumeDocument, wish: DiskWish): DiskDocument {
  const { target, byName = false, mode = null, backing = null, dataStore = null } = wish;
  const prefix = /^(fd|hd|sd|vd|xvd|ubd)[a-z]{1,4}$/.exec(target)?.[1];
  if (prefix === undefined) {
    throw failure(
      DocumentErrorCode.INVALID_ARGUMENT,
      `'${target}' is not the name of a disk in a guest, such as 'vdb'`,
    );
  }
  if (mode !== null && (!byName || pool.type !== "iscsi")) {
    throw unsupported(`a mode is said of volumes of iscsi pools by name, not of '${volume.name}'`);
  }
  return {
    device: deviceOf(prefix, volume),
    driver: driverOf(pool.type, volume),
    source: byName ? sourceByName(pool, volume, mode) : sourceOf(pool, volume),
    encryption: volume.target.encryption,
    dataStore,
    backing,
    mirror: null,
    target,
    bus: wish.bus ?? BUSES[prefix] ?? null,
    address: null,
    // A directory is shown as a file system that is made up.
    isReadOnly: volume.type === "dir" || isCd(volume),
    isShareable: false,
    isTransient: false,
    serial: null,
    alias: null,
  };
}

function deviceOf(prefix: string, volume: VolumeDocument): DiskDevice {
  if (prefix === "fd") return "floppy";
  // virtio has no drives.
  return isCd(volume) && prefix !== "vd" ? "cdrom" : "disk";
}

function isCd(volume: VolumeDocument): boolean {
  return volume.target.format === "iso";
}

function driverOf(type: PoolType, volume: VolumeDocument): DiskDriver {
  if (volume.type === "ploop") throw unsupported(`'${volume.name}' is a volume for containers: QEMU knows no ploop`);
  if (volume.type === "dir") return { ...PLAIN_DRIVER, type: "fat" };
  if (WAYS[type] === "block") return DEVICE_DRIVER;
  const format = volume.target.format ?? "raw";
  // A key belongs to the source; what is behind it is plain.
  return { ...PLAIN_DRIVER, type: format === "luks" ? "raw" : (DRIVER_TYPES[format] ?? format) };
}

function sourceByName(pool: PoolDocument, volume: VolumeDocument, mode: VolumeMode | null): DiskSource {
  if (pool.type === "rbd" || pool.type === "gluster") {
    throw unsupported(`QEMU's driver takes no volume of a pool of type '${pool.type}' by name: say it by its address`);
  }
  return { type: "volume", pool: pool.name, volume: volume.name, mode };
}

function sourceOf(pool: PoolDocument, volume: VolumeDocument): DiskSource {
  const path = volume.target.path;
  switch (WAYS[pool.type]) {
    case "file":
      return { type: volume.type === "dir" ? "dir" : "file", path };
    case "block":
      return { type: "block", path };
    case "network":
      return networkSource(pool, volume);
  }
}

function networkSource({ type, source }: PoolDocument, { name }: VolumeDocument): DiskSource {
  const plain = {
    type: "network",
    hosts: source.hosts.map(hostOf),
    authentication: null,
    initiatorIqn: null,
    snapshot: null,
    query: null,
  } as const;
  switch (type) {
    case "rbd":
      return {
        ...plain,
        protocol: "rbd",
        name: `${source.name ?? ""}/${name}`,
        authentication: authenticationOf(source, "ceph"),
      };
    case "gluster":
      return { ...plain, protocol: "gluster", name: joined(source.name ?? "", source.directory ?? "", name) };
    case "sheepdog":
      return { ...plain, protocol: "sheepdog", name };
    default:
      return {
        ...plain,
        protocol: "iscsi",
        name: `${source.devices[0]?.path ?? ""}/${lunOf(name)}`,
        authentication: authenticationOf(source, "iscsi"),
        initiatorIqn: source.initiatorIqn,
      };
  }
}

/** A port that is not said is 0 in a pool. */
function hostOf({ name, port }: PoolSource["hosts"][number]): NetworkHost {
  return { name, port: port === 0 ? null : port, transport: null, socket: null };
}

function authenticationOf({ authentication }: PoolSource, type: string): DiskAuthentication | null {
  if (authentication === null) return null;
  const { username, secret } = authentication;
  return { username, type, secret };
}

function joined(...parts: readonly string[]): string {
  return parts
    .flatMap((part) => part.split("/"))
    .filter((part) => part !== "")
    .join("/");
}

/** `unit:0:0:1` is LUN 1. */
function lunOf(name: string): string {
  const lun = /^unit:\d+:\d+:(\d+)$/.exec(name)?.[1];
  if (lun !== undefined) return lun;
  throw unsupported(`'${name}' is not the name of a LUN, such as 'unit:0:0:1'`);
}

function unsupported(detail: string): DocumentError {
  return failure(DocumentErrorCode.CONFIG_UNSUPPORTED, detail);
}

function failure(code: DocumentErrorCode, detail: string): DocumentError {
  return new DocumentError(code, DocumentErrorDomain.STORAGE, detail);
}
