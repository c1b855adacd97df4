import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { makeLabel } from "../tools/parted.js";
import { allocatePartition, fillPartition } from "./disk/create-partition.js";
import { diskPathOf } from "./disk/disk-device.js";
import { checkDiskLabel, labelFormat } from "./disk/disk-label.js";
import { undoPartition } from "./disk/partition-identity.js";
import { removeVolumePartition } from "./disk/remove-partition.js";
import { isExtended, scanDisk } from "./disk/scan-disk.js";
import type { StorageDriver } from "./driver.js";
import { clearDeviceEnds } from "./shared/block/device-label.js";
import { openDeviceForDownload, openDeviceForUpload, wipeDevice } from "./shared/block/device-streams.js";
import { settle } from "./shared/block/settle.js";
import { BUILD_OVERWRITE, checkBuildFlags } from "./shared/build-directory.js";
import { runCommand } from "./shared/run-command.js";
import { pathOf } from "./shared/target-directory.js";

/** Pools of type "disk": one disk, whose partitions are the volumes. Stopping one leaves everything as it is. */
export const diskDriver: StorageDriver = {
  type: "disk",
  traits: { volumeKind: "block", allowsZeroCapacity: false, clones: true },

  async check(pool, host) {
    return checkDiskLabel(diskPathOf(pool), labelFormat(pool.source.format), "start", host).then(
      () => true,
      () => false,
    );
  },

  scan: (pool, host, _known, signal) => scanDisk(pool, host, signal),

  /** As with libvirt, a new partition leaves the others' documents as they are; a removed one is followed by a refresh. */
  rescan: (pool, host, { change, known }, signal) =>
    scanDisk(pool, host, signal, change === "made" ? known : undefined),

  async start(pool, host, { signal }) {
    await settle(host, signal);
    const path = diskPathOf(pool);
    const exists = await host.facts(path).then(
      () => true,
      () => false,
    );
    if (!exists) {
      throw LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, `device path '${path}' doesn't exist`);
    }
    const format = labelFormat(pool.source.format);
    await checkDiskLabel(path, format, "start", host);
    return { made: [], pool: { ...pool, source: { ...pool.source, format } } };
  },

  async build(pool, host, flags) {
    checkBuildFlags(flags, "virStorageBackendDiskBuildPool");
    const path = diskPathOf(pool);
    const format = labelFormat(pool.source.format);
    if ((flags & BUILD_OVERWRITE) === 0) await checkDiskLabel(path, format, "build", host);
    await clearDeviceEnds(path, host);
    await runCommand(host, makeLabel(path, format));
    await settle(host);
  },

  async delete(pool, host, flags) {
    LibvirtError.checkFlags(ErrorDomain.STORAGE, "virStorageBackendDiskDeletePool", flags, 0);
    await clearDeviceEnds(diskPathOf(pool), host);
  },

  volumes: {
    allocate: allocatePartition,
    fill: fillPartition,
    remove: removeVolumePartition,

    async wipe(pool, volume, algorithm, context) {
      if (await isExtended(pool, volume, context)) {
        const text = `cannot wipe extended partition '${pathOf(volume)}'`;
        throw LibvirtError.of(ErrorCode.NO_SUPPORT, ErrorDomain.STORAGE, text);
      }
      await wipeDevice(pool, volume, algorithm, context);
    },

    openForDownload: openDeviceForDownload,
    openForUpload: openDeviceForUpload,
    undo: undoPartition,
  },
};
