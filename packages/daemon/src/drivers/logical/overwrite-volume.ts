import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { LogicalVolume } from "../../tools/lvm.js";
import type { UploadTarget, VolumeContext } from "../driver.js";
import { openDeviceForUpload, wipeDevice } from "../shared/block/device-streams.js";
import { pathOf } from "../shared/target-directory.js";
import { groupOf, logicalVolumes, replaced } from "./volume-group.js";

/** Overwrites a volume. 3 for one that has only the space that is written: it would run out of it. */
export async function wipeVolume(
  pool: PoolDocument,
  volume: VolumeDocument,
  algorithm: number,
  context: VolumeContext,
): Promise<void> {
  const kind = (await listed(pool, volume, context))?.kind;
  if (kind === "snapshot" || kind === "thin") {
    const text = `logical volume '${pathOf(volume)}' is sparse, volume wipe not supported`;
    throw LibvirtError.of(ErrorCode.NO_SUPPORT, ErrorDomain.STORAGE, text);
  }
  await wipeDevice(pool, volume, algorithm, context);
}

export async function openForUpload(
  pool: PoolDocument,
  volume: VolumeDocument,
  context: VolumeContext,
): Promise<UploadTarget> {
  await listed(pool, volume, context);
  return openDeviceForUpload(pool, volume, context);
}

/** What LVM says of the volume now; not of another one that has its name by now, which nobody wanted to lose. */
async function listed(
  pool: PoolDocument,
  volume: VolumeDocument,
  { host, job }: VolumeContext,
): Promise<LogicalVolume | undefined> {
  const volumes = await logicalVolumes(groupOf(pool), host, job.signal);
  const found = volumes.find(({ name }) => name === volume.name);
  if (found !== undefined && found.uuid !== volume.key) throw replaced(volume);
  return found;
}
