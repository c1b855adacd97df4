import type { PoolType } from "@cistern/documents";
import type { Host } from "../host/host.js";
import type { UnitTrace } from "../jobs/job.js";
import { type AbsentDriver, absentDriver, missingBackend } from "./absent.js";
import { directoryDriver } from "./directory.js";
import { type DiscoveryContext, findSourcesWith } from "./discovery/find-sources.js";
import { diskDriver } from "./disk.js";
import type { StorageDriver } from "./driver.js";
import { fileSystemDriver } from "./file-system.js";
import { iscsiDriver } from "./iscsi.js";
import { logicalDriver } from "./logical.js";
import { mpathDriver } from "./mpath.js";
import { networkFileSystemDriver } from "./network-file-system.js";
import { scsiDriver } from "./scsi.js";
import { undoUnitWith } from "./undo-unit.js";
import { vstorageDriver } from "./vstorage.js";
import { zfsDriver } from "./zfs.js";

export type { Chain } from "../images/chain.js";
export type { ChainLink, ChainProblem, ChainProblemKind, FormatOrigin, PoolPlace } from "../images/chain-link.js";
export type { PoolDirectory } from "../images/host-chain-storage.js";
export type {
  EncryptionMethod,
  ImageDetails,
  Qcow2Bitmap,
  Qcow2DataFile,
  Qcow2Facts,
  Qcow2Feature,
  Qcow2List,
  Qcow2Snapshot,
} from "../images/image-details.js";
export type { ImageBacking } from "../images/image-facts.js";
export { imageFormat, isPlainRaw } from "../tools/qemu-img-checks.js";
export type { DiscoveryContext } from "./discovery/find-sources.js";
export * from "./driver.js";
export { backingPathOf } from "./shared/backing-stores.js";
export { volumeChain } from "./shared/volume-chain.js";
export { shrinkRefusal } from "./shrink-refusal.js";
export { type Operation, unsupported } from "./unsupported.js";

/** Every pool type has an entry, or this file does not compile. */
export const drivers = {
  dir: directoryDriver,
  fs: fileSystemDriver,
  netfs: networkFileSystemDriver,
  logical: logicalDriver,
  disk: diskDriver,
  iscsi: iscsiDriver,
  scsi: scsiDriver,
  mpath: mpathDriver,
  rbd: absentDriver("rbd"),
  sheepdog: absentDriver("sheepdog"),
  gluster: absentDriver("gluster"),
  zfs: zfsDriver,
  vstorage: vstorageDriver,
  "iscsi-direct": absentDriver("iscsi-direct"),
} satisfies { readonly [Type in PoolType]: StorageDriver | AbsentDriver };

export function hasDriver(type: PoolType): boolean {
  return !("absent" in drivers[type]);
}

/** Throws libvirt's 1/18 "missing backend for pool type …" where the type's driver has not landed. */
export function driverOf(type: PoolType): StorageDriver {
  const driver: StorageDriver | AbsentDriver = drivers[type];
  if ("absent" in driver) throw missingBackend(type);
  return driver;
}

/** Undoes what `fill` of a daemon that died has left, by the driver that made it. */
export function undoUnit(unit: UnitTrace, host: Host): Promise<string> {
  return undoUnitWith(drivers, unit, host);
}

/**
 * The answer to "which sources are there for a pool of this type": a `<sources>` document. `specification` is the
 * caller's `<source>` document, or null.
 */
export function findSources(
  type: string,
  specification: string | null,
  flags: number,
  context: DiscoveryContext,
): Promise<string> {
  return findSourcesWith(drivers, type, specification, flags, context);
}
