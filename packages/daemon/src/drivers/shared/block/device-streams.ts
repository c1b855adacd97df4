import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorDomain } from "@cistern/protocol";
import type { File } from "../../../host/host.js";
import type { Recorded } from "../../../jobs/job.js";
import type { UploadTarget, VolumeContext } from "../../driver.js";
import { failingAs } from "../failure.js";
import { pathOf } from "../target-directory.js";
import { checkWipe, wipeFile } from "../wipe-file.js";
import { openDevice } from "./device.js";

/** Opens a volume that is a device for a download: 38/38 `Unable to open stream for '…'`. */
export function openDeviceForDownload(
  _pool: PoolDocument,
  volume: VolumeDocument,
  context: VolumeContext,
): Promise<File> {
  return openForStream(volume, "read", context);
}

/** The same for an upload. A device has no space that runs out, and no size that changes. */
export async function openDeviceForUpload(
  _pool: PoolDocument,
  volume: VolumeDocument,
  context: VolumeContext,
): Promise<UploadTarget> {
  const file = await openForStream(volume, "write", context);
  try {
    return { file, recorded: await recordContent(volume, context) };
  } catch (thrown) {
    await file.close();
    throw thrown;
  }
}

/** Wipes a volume that is a device. */
export async function wipeDevice(
  _pool: PoolDocument,
  volume: VolumeDocument,
  algorithm: number,
  context: VolumeContext,
): Promise<void> {
  checkWipe(volume, algorithm);
  const { signal } = context.job;
  const detail = `Failed to open storage volume with path '${pathOf(volume)}'`;
  await using file = await openDevice(context.host, pathOf(volume), "read-write", { detail, signal });
  const recorded = await recordContent(volume, context);
  try {
    await wipeFile(file, volume, algorithm, context);
  } finally {
    await recorded.release();
  }
}

function openForStream(volume: VolumeDocument, access: "read" | "write", { host, job }: VolumeContext): Promise<File> {
  const detail = `Unable to open stream for '${pathOf(volume)}'`;
  return openDevice(host, pathOf(volume), access, { detail, domain: ErrorDomain.STREAMS, signal: job.signal });
}

/** Nothing can be undone, but it is to be known that part of the content is old and part is new. */
function recordContent(volume: VolumeDocument, { job }: VolumeContext): Promise<Recorded> {
  const path = pathOf(volume);
  return failingAs(`cannot record the change of volume '${path}'`, job.record({ kind: "device", path }));
}
