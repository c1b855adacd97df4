import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Host } from "../../host/host.js";
import { deactivateLogicalVolume, type LogicalVolume, removeLogicalVolume } from "../../tools/lvm.js";
import { DELETE_WITH_SNAPSHOTS, type VolumeContext } from "../driver.js";
import { settle } from "../shared/block/settle.js";
import { runCommand } from "../shared/run-command.js";
import { pathOf } from "../shared/target-directory.js";
import { groupOf, logicalVolumes, refuseOpen, replaced } from "./volume-group.js";

/**
 * Removes a volume; with flag 2 its snapshots as well, which cannot be without it. LVM is asked first: what is open, or has
 * snapshots that nobody spoke of, stays, and so does another volume that has the name by now.
 */
export async function removeVolume(
  pool: PoolDocument,
  volume: VolumeDocument,
  flags: number,
  { host }: VolumeContext,
): Promise<void> {
  LibvirtError.checkFlags(ErrorDomain.STORAGE, "virStorageBackendLogicalDeleteVol", flags, DELETE_WITH_SNAPSHOTS);
  const group = groupOf(pool);
  await settle(host);
  const volumes = await logicalVolumes(group, host);
  const found = volumes.find(({ name }) => name === volume.name);
  // Somebody else removed it.
  if (found === undefined) return;
  if (found.uuid !== volume.key) throw replaced(volume);
  const snapshots = volumes.filter(({ kind, origin }) => kind === "snapshot" && origin === volume.name);
  refuseOpen([found, ...snapshots], `volume '${volume.name}'`);
  if ((flags & DELETE_WITH_SNAPSHOTS) === 0) refuseSnapshots(volume, snapshots);
  await removePath(pathOf(volume), host);
}

function refuseSnapshots(volume: VolumeDocument, snapshots: readonly LogicalVolume[]): void {
  if (snapshots.length === 0) return;
  const names = snapshots.map(({ name }) => `'${name}'`).join(", ");
  throw LibvirtError.of(
    ErrorCode.OPERATION_INVALID,
    ErrorDomain.STORAGE,
    `volume '${volume.name}' is still in use. It has snapshots, which would go with it: ${names}`,
  );
}

/** As libvirt does: what LVM does not remove at once it removes when it was deactivated, sometimes. */
async function removePath(path: string, host: Host): Promise<void> {
  const first = await host.run(removeLogicalVolume(path)).catch(() => null);
  if (first?.exitStatus === 0) return;
  await runCommand(host, deactivateLogicalVolume(path));
  await runCommand(host, removeLogicalVolume(path));
}

/** For a volume that was not wanted after all. False: it is there, and cannot be removed now. */
export async function dropVolume(path: string, host: Host): Promise<boolean> {
  try {
    await settle(host);
    await removePath(path, host);
    return true;
  } catch (thrown) {
    return thrown instanceof LibvirtError && thrown.message.includes("Failed to find logical volume");
  }
}
