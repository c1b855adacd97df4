import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Directory } from "../../host/host.js";
import type { CloneSource, VolumeContext } from "../driver.js";
import { createImageFile } from "./create-image.js";
import { createRaw } from "./create-raw.js";
import { failingAs } from "./failure.js";
import { DEFAULT_VOLUME_MODE, giveTo } from "./new-file.js";
import { ploopToolsMissing } from "./ploop.js";
import { openTargetRaw, pathOf } from "./target-directory.js";

/** Makes the file (or directory) of a new volume with its first content. Whatever fails, nothing of it is left. */
export async function fillFile(
  pool: PoolDocument,
  volume: VolumeDocument,
  source: CloneSource | null,
  flags: number,
  context: VolumeContext,
): Promise<void> {
  const { format } = volume.target;
  if (format === "dir") checkDirectory(volume, source?.document ?? null, flags);
  if (format === "ploop") throw ploopToolsMissing();
  await using directory = await failingAs(
    `Failed to create file '${pathOf(volume)}'`,
    openTargetRaw(pool, context.host),
  );
  const from = source?.document ?? null;
  if (format === "dir") await createDirectory(directory, volume);
  else if (isImage(volume) || (from !== null && isImage(from))) {
    await createImageFile(pool, directory, volume, from, flags, context);
  } else await createRaw(directory, volume, from, flags, context);
}

/** Whatever has a header or a key; anything else is plain bytes. */
function isImage({ type, target }: VolumeDocument): boolean {
  if (type !== "file") return false;
  return (target.format ?? "raw") !== "raw" || target.encryption !== null;
}

function checkDirectory(volume: VolumeDocument, source: VolumeDocument | null, flags: number): void {
  if (source !== null) {
    const text = "cannot copy from volume to a directory volume";
    throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, text);
  }
  LibvirtError.checkFlags(ErrorDomain.STORAGE, "createFileDir", flags, 0);
  if (volume.backingStore !== null) {
    const text = "backing storage not supported for directories volumes";
    throw LibvirtError.of(ErrorCode.NO_SUPPORT, ErrorDomain.STORAGE, text);
  }
}

async function createDirectory(parent: Directory, volume: VolumeDocument): Promise<void> {
  const mode = volume.target.permissions.mode ?? DEFAULT_VOLUME_MODE;
  const path = pathOf(volume);
  await failingAs(`failed to create directory '${path}'`, parent.makeDirectory(volume.name, mode), ErrorDomain.NONE);
  try {
    await using directory = await failingAs(`stat of '${path}' failed`, parent.openDirectory(volume.name));
    await giveTo(directory, volume.target.permissions);
  } catch (thrown) {
    await parent.removeDirectory(volume.name).catch(() => {
      // What is to be told is why it is not as it was asked for.
    });
    throw thrown;
  }
}
