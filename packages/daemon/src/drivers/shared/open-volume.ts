import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorDomain } from "@cistern/protocol";
import type { File, FileAccess, Host } from "../../host/host.js";
import type { VolumeContext } from "../driver.js";
import { failingAs } from "./failure.js";
import { ploopToolsMissing } from "./ploop.js";
import { openTargetRaw, pathOf } from "./target-directory.js";
import { checkWipe, wipeFile } from "./wipe-file.js";

/** Opens a volume of a directory for a stream: 38/38 `Unable to open stream for '…'`. */
export async function openForStream(
  pool: PoolDocument,
  volume: VolumeDocument,
  way: { readonly access: FileAccess; readonly follow: boolean | undefined },
  host: Host,
): Promise<File> {
  if (volume.type === "ploop") throw ploopToolsMissing();
  const detail = `Unable to open stream for '${pathOf(volume)}'`;
  return failingAs(detail, openEntry(pool, volume, way.access, way.follow === true, host), ErrorDomain.STREAMS);
}

/** Wipes a volume of a directory. */
export async function wipeEntry(
  pool: PoolDocument,
  volume: VolumeDocument,
  algorithm: number,
  context: VolumeContext,
): Promise<void> {
  checkWipe(volume, algorithm);
  const detail = `Failed to open storage volume with path '${pathOf(volume)}'`;
  const opened = openEntry(pool, volume, "read-write", context.followsSymlink === true, context.host);
  await using file = await failingAs(detail, opened);
  await wipeFile(file, volume, algorithm, context);
}

/** A symlink put in the place of the volume leads nowhere (ELOOP), unless the volume was one when it was found. */
async function openEntry(
  pool: PoolDocument,
  volume: VolumeDocument,
  access: FileAccess,
  follow: boolean,
  host: Host,
): Promise<File> {
  await using directory = await openTargetRaw(pool, host);
  return await directory.open(volume.name, { access, follow });
}
