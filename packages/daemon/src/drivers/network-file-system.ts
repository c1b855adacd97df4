import type { PoolDocument, PoolSource, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { isSameSource, mountNetwork, type NetworkFormat, networkSource } from "../tools/mount.js";
import type { StorageDriver, VolumeContext, VolumeOperations } from "./driver.js";
import { asOwner } from "./netfs/as-owner.js";
import { findExports } from "./netfs/find-exports.js";
import { scanAsOwners } from "./netfs/scan-as-owners.js";
import { buildTarget, checkBuildFlags, deleteTarget, nothingToFormat } from "./shared/build-directory.js";
import { FILE_TRAITS, fileVolumes } from "./shared/file-volumes.js";
import { type IsSource, isMounted, mountPool, unmountPool } from "./shared/mount/mounted.js";
import { measureDirectory } from "./shared/scan-directory.js";
import { targetPath } from "./shared/target-directory.js";

/**
 * Pools of type "netfs": what a server exports (NFS, SMB, gluster), mounted at the target; its entries are the volumes.
 * Everything that touches them is done as the owner where the server refuses root.
 */
export const networkFileSystemDriver: StorageDriver = {
  type: "netfs",
  traits: FILE_TRAITS,

  async check(pool, host) {
    return isMounted(pool, host, isExport(pool));
  },

  scan: (pool, host, known, signal) => asOwner(pool, null, host, (asWhom) => scanAsOwners(pool, asWhom, known, signal)),
  measure: (pool, host, signal) => asOwner(pool, null, host, (asWhom) => measureDirectory(pool, asWhom, signal)),

  async start(pool, host, { signal }) {
    const command = mountNetwork({
      source: sourceOf(pool),
      target: targetPath(pool),
      format: formatOf(pool),
      protocolVersion: pool.source.protocolVersion,
      options: pool.mountOptions,
    });
    return mountPool(pool, host, { command, isSource: isExport(pool) }, signal);
  },

  async stop(pool, host) {
    await unmountPool(pool, host, isExport(pool));
  },

  async build(pool, host, flags, signal) {
    checkBuildFlags(flags);
    await buildTarget(pool, host, signal);
    // libvirt makes the directory before it says that there is nothing to format.
    if (flags !== 0) throw await nothingToFormat(pool, host);
  },

  delete: deleteTarget,

  async discover(wanted, host, signal): Promise<readonly PoolSource[]> {
    return findExports(wanted?.hosts[0]?.name ?? "", host, signal);
  },

  volumes: {
    allocate: fileVolumes.allocate,
    fill: (pool, volume, source, flags, context) =>
      as(pool, volume, context, (asWhom) => fileVolumes.fill(pool, volume, source, flags, asWhom)),
    refresh: (pool, found, probe, host) =>
      asOwner(pool, found.document, host, (asWhom) => fileVolumes.refresh(pool, found, probe, asWhom)),
    remove: (pool, volume, flags, context) =>
      as(pool, volume, context, (asWhom) => fileVolumes.remove(pool, volume, flags, asWhom)),
    resize: (pool, volume, capacityBytes, flags, context) =>
      as(pool, volume, context, (asWhom) => fileVolumes.resize(pool, volume, capacityBytes, flags, asWhom)),
    wipe: (pool, volume, algorithm, context) =>
      as(pool, volume, context, (asWhom) => fileVolumes.wipe(pool, volume, algorithm, asWhom)),
    openForDownload: (pool, volume, context) =>
      as(pool, volume, context, (asWhom) => fileVolumes.openForDownload(pool, volume, asWhom)),
    openForUpload: (pool, volume, context) =>
      as(pool, volume, context, (asWhom) => fileVolumes.openForUpload(pool, volume, asWhom)),
  } satisfies VolumeOperations,
};

/** A clone's source may be anywhere, and is opened as whoever may: not necessarily the new volume's owner. */
function as<T>(
  pool: PoolDocument,
  volume: VolumeDocument,
  context: VolumeContext,
  work: (context: VolumeContext) => Promise<T>,
): Promise<T> {
  const { host } = context;
  return asOwner(pool, volume, host, (asWhom) => work({ ...context, host: asWhom, sourceHost: host }));
}

const FORMATS: Readonly<Record<string, NetworkFormat>> = { nfs: "nfs", glusterfs: "glusterfs", cifs: "cifs" };

function formatOf({ source }: PoolDocument): NetworkFormat {
  return FORMATS[source.format ?? ""] ?? "auto";
}

function sourceOf(pool: PoolDocument): string {
  const { hosts, directory } = pool.source;
  const [host, ...others] = hosts;
  if (host === undefined || others.length > 0) throw unsupported("Expected exactly 1 host for the storage pool");
  if (host.name === "") throw missing("missing source host");
  if (directory === null) throw missing("missing source path");
  // To mount it would be an option.
  if (host.name.startsWith("-")) throw unsupported(`'${host.name}' is not the name of a host`);
  return networkSource(formatOf(pool), { host: host.name, directory });
}

function isExport(pool: PoolDocument): IsSource {
  const source = sourceOf(pool);
  return (mounted) => isSameSource(mounted.source, source);
}

function unsupported(text: string): LibvirtError {
  return LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, text);
}

function missing(text: string): LibvirtError {
  return LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, text);
}
