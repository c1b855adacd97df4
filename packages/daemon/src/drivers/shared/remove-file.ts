import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Directory } from "../../host/host.js";
import type { VolumeContext } from "../driver.js";
import { failure, isErrno } from "./failure.js";
import { openTargetRaw, pathOf } from "./target-directory.js";

/** Deletes a volume of a directory. One that is gone already is no error; a directory must be empty. */
export async function removeFile(
  pool: PoolDocument,
  volume: VolumeDocument,
  flags: number,
  { host }: VolumeContext,
): Promise<void> {
  LibvirtError.checkFlags(ErrorDomain.STORAGE, "virStorageBackendVolDeleteLocal", flags, 0);
  const path = pathOf(volume);
  const isDirectory = volume.type === "dir" || volume.type === "ploop";
  try {
    await using directory = await openTargetRaw(pool, host);
    if (volume.type === "ploop") await removeTree(directory, volume.name);
    else if (isDirectory) await directory.removeDirectory(volume.name);
    else await directory.removeFile(volume.name);
  } catch (thrown) {
    if (isErrno(thrown, "ENOENT")) return;
    throw failure(thrown, isDirectory ? `cannot remove directory '${path}'` : `cannot unlink file '${path}'`);
  }
}

/** A ploop image is a directory of a few files. Symlinks are removed, not followed. */
async function removeTree(parent: Directory, name: string): Promise<void> {
  {
    await using directory = await parent.openDirectory(name);
    for (const entry of await directory.names()) {
      const { kind } = await directory.lookup(entry, { follow: false });
      if (kind === "directory") await removeTree(directory, entry);
      else await directory.removeFile(entry);
    }
  }
  await parent.removeDirectory(name);
}
