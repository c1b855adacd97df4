import type { PoolDocument } from "@cistern/documents";
import { ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Host } from "../../host/host.js";
import {
  makeGroup,
  makePhysicalVolume,
  removeGroup,
  removePhysicalVolume,
  tryMakeGroup,
  withoutTestNotes,
} from "../../tools/lvm.js";
import { checkDeviceIsFree, checkDeviceLabel, clearDeviceEnds } from "../shared/block/device-label.js";
import { settle } from "../shared/block/settle.js";
import { BUILD_OVERWRITE, checkBuildFlags } from "../shared/build-directory.js";
import { commandFailure, commandResult, runCommand } from "../shared/run-command.js";
import { groupOf, identityOf, logicalVolumes, physicalVolumes, refuseOpen } from "./volume-group.js";

const LABEL = "LVM2_member";

/**
 * Makes the pool's volume group out of its devices. All of them are looked at before the first is written: one that holds
 * something (unless it may be overwritten) or is in use refuses the build, and leaves the others as they were. What a build
 * that fails had made is taken back.
 */
export async function buildGroup(pool: PoolDocument, host: Host, flags: number): Promise<void> {
  checkBuildFlags(flags, "virStorageBackendLogicalBuildPool");
  const group = groupOf(pool);
  const devices = pool.source.devices.map(({ path }) => path);
  if ((flags & BUILD_OVERWRITE) === 0) {
    for (const device of devices) await checkDeviceLabel(device, LABEL, "build", host);
  }
  for (const device of devices) await checkDeviceIsFree(device, host);
  await refuseTakenName(group, devices, host);
  const made: string[] = [];
  try {
    for (const device of devices) {
      await clearDeviceEnds(device, host);
      // A member of another group is one no more, and LVM is to know that before it is asked for the next.
      await settle(host);
      await runCommand(host, makePhysicalVolume(device));
      made.push(device);
    }
    await runCommand(host, makeGroup(group, devices));
  } catch (thrown) {
    for (const device of made) await host.run(removePhysicalVolume(device)).catch(() => {});
    throw thrown;
  }
}

/** A group of the name on other devices: LVM would say so when ours have been written already. */
async function refuseTakenName(group: string, devices: readonly string[], host: Host): Promise<void> {
  const ours = new Set(await Promise.all(devices.map((path) => identityOf(path, host))));
  const members = (await physicalVolumes(host)).filter((member) => member.group === group);
  const places = await Promise.all(members.map(({ devicePath }) => identityOf(devicePath, host)));
  if (places.every((place) => ours.has(place))) return;
  const result = await commandResult(host, tryMakeGroup(group, devices));
  if (result.exitStatus !== 0) throw commandFailure({ ...result, stderr: withoutTestNotes(result.stderr) });
}

/** Removes the group with all its volumes, of which none may be open, and the marks on the devices that the document names. */
export async function deleteGroup(pool: PoolDocument, host: Host, flags: number): Promise<void> {
  LibvirtError.checkFlags(ErrorDomain.STORAGE, "virStorageBackendLogicalDeletePool", flags, 0);
  const group = groupOf(pool);
  // Where there is no such group, vgremove says so.
  const volumes = await logicalVolumes(group, host).catch(() => []);
  refuseOpen(volumes, `volume group '${group}'`);
  await runCommand(host, removeGroup(group));
  for (const { path } of pool.source.devices) {
    if (path.startsWith("/")) await host.run(removePhysicalVolume(path)).catch(() => {});
  }
}
