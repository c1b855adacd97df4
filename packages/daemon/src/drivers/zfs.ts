import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import {
  createDataset,
  createZpool,
  destroyDataset,
  destroyZpool,
  listVolumes,
  parseVolumes,
  zpoolOf,
} from "../tools/zfs.js";
import type { StorageDriver } from "./driver.js";
import { openDeviceForDownload, openDeviceForUpload } from "./shared/block/device-streams.js";
import { runCommand } from "./shared/run-command.js";
import { datasetOf, runZfs, usableZpool } from "./zfs/datasets.js";
import {
  allocateZvol,
  fillZvol,
  isTemporary,
  refreshZvol,
  removeZvol,
  resizeZvol,
  undoZvol,
  wipeZvol,
} from "./zfs/volumes.js";
import { foundZvol } from "./zfs/zvols.js";

/**
 * Pools of type "zfs": a zpool, or a dataset in one, whose ZFS volumes are the pool's. Importing and exporting zpools is the
 * administrator's, so there is nothing to start. libvirt swallows what ZFS answers, so that a pool is "active" without ZFS;
 * here it is told. Clones (libvirt has none) are copies of blocks.
 */
export const zfsDriver: StorageDriver = {
  type: "zfs",
  traits: { volumeKind: "block", allowsZeroCapacity: false, clones: true },

  /** Active is one that has devices, as in libvirt; one without volumes has none, and is what it was. */
  async check(pool, host, wasActive = false) {
    try {
      const dataset = datasetOf(pool);
      await usableZpool(dataset, host);
      const volumes = parseVolumes(await runZfs(host, listVolumes(dataset)));
      return wasActive || volumes.some(({ fullName }) => fullName !== dataset);
    } catch {
      return false;
    }
  },

  async scan(pool, host, _known, signal) {
    const dataset = datasetOf(pool);
    const { sizeBytes, allocatedBytes, freeBytes } = await usableZpool(dataset, host, signal);
    const volumes = parseVolumes(await runZfs(host, listVolumes(dataset), { signal }))
      .map((facts) => foundZvol(pool, facts))
      .filter(({ document: { key, name } }) => key === `${dataset}/${name}` && !isTemporary(name));
    return {
      capacityBytes: sizeBytes,
      allocationBytes: allocatedBytes,
      availableBytes: freeBytes,
      pool,
      volumes,
    };
  },

  async build(pool, host, flags) {
    LibvirtError.checkFlags(ErrorDomain.STORAGE, "virStorageBackendZFSBuildPool", flags, 0);
    const dataset = datasetOf(pool);
    if (dataset.includes("/")) {
      await runZfs(host, createDataset(dataset));
      return;
    }
    const devices = pool.source.devices.map(({ path }) => path);
    if (devices.length === 0) throw unsupportedConfiguration("missing source devices");
    const option = devices.find((path) => path.startsWith("-"));
    if (option !== undefined) throw unsupportedConfiguration(`'${option}' is no source device`);
    await runCommand(host, createZpool(dataset, devices));
  },

  async delete(pool, host, flags) {
    LibvirtError.checkFlags(ErrorDomain.STORAGE, "virStorageBackendZFSDeletePool", flags, 0);
    const dataset = datasetOf(pool);
    await runCommand(host, dataset === zpoolOf(dataset) ? destroyZpool(dataset) : destroyDataset(dataset));
  },

  volumes: {
    allocate: allocateZvol,
    fill: fillZvol,
    refresh: refreshZvol,
    remove: removeZvol,
    resize: resizeZvol,
    wipe: wipeZvol,
    openForDownload: openDeviceForDownload,
    openForUpload: openDeviceForUpload,
    undo: undoZvol,
  },
};

function unsupportedConfiguration(text: string): LibvirtError {
  return LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, text);
}
