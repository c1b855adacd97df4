import type { PoolSource } from "@cistern/documents";
import { activateGroup, deactivateGroup } from "../tools/lvm.js";
import { NOTHING_MADE, type StorageDriver } from "./driver.js";
import { buildGroup, deleteGroup } from "./logical/build-group.js";
import { allocateVolume, fillVolume, undoVolume } from "./logical/make-volume.js";
import { openForUpload, wipeVolume } from "./logical/overwrite-volume.js";
import { removeVolume } from "./logical/remove-volume.js";
import { scanGroup } from "./logical/scan-group.js";
import { findGroup, groupOf, logicalVolumes, physicalVolumes } from "./logical/volume-group.js";
import { openDeviceForDownload } from "./shared/block/device-streams.js";
import { runCommand } from "./shared/run-command.js";
import { targetPath } from "./shared/target-directory.js";

/** Pools of type "logical": a volume group of LVM, whose logical volumes are the volumes. */
export const logicalDriver: StorageDriver = {
  type: "logical",
  traits: { volumeKind: "block", allowsZeroCapacity: false, clones: true, removesSnapshots: true },

  /** Active is a group that has devices, as in libvirt; one without volumes has none, and is what it was. */
  async check(pool, host, wasActive = false) {
    try {
      await findGroup(pool, host);
    } catch {
      return false;
    }
    const hasDevices = await host.facts(targetPath(pool)).then(
      () => true,
      () => false,
    );
    return hasDevices || (wasActive && (await logicalVolumes(groupOf(pool), host)).length === 0);
  },

  scan: (pool, host, _known, signal) => scanGroup(pool, host, signal),

  /** Snapshots go with their origin, and what is left of the group is LVM's to count. */
  rescan: (pool, host, _after, signal) => scanGroup(pool, host, signal),

  async start(pool, host, { signal }) {
    await findGroup(pool, host, signal);
    await runCommand(host, activateGroup(groupOf(pool)));
    return NOTHING_MADE;
  },

  /** LVM refuses to, and deactivates none, while one of the group's volumes is open. */
  async stop(pool, host) {
    await runCommand(host, deactivateGroup(groupOf(pool)));
  },

  build: buildGroup,
  delete: deleteGroup,

  /** All groups of this machine, in the order in which LVM lists their first devices. */
  async discover(_wanted, host, signal) {
    const devicesOf = new Map<string, string[]>();
    for (const { devicePath, group } of await physicalVolumes(host, signal)) {
      devicesOf.set(group, [...(devicesOf.get(group) ?? []), devicePath]);
    }
    return [...devicesOf].map(([group, devices]) => sourceOf(group, devices));
  },

  volumes: {
    allocate: allocateVolume,
    fill: fillVolume,
    remove: removeVolume,
    wipe: wipeVolume,
    openForDownload: openDeviceForDownload,
    openForUpload,
    undo: undoVolume,
  },
};

function sourceOf(group: string, devices: readonly string[]): PoolSource {
  return {
    hosts: [],
    devices: devices.map((path) => ({ path, partSeparator: null, freeExtents: [] })),
    directory: null,
    adapter: null,
    name: group,
    initiatorIqn: null,
    format: "lvm2",
    authentication: null,
    protocolVersion: null,
    vendor: null,
    product: null,
  };
}
