import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorDomain, LibvirtError } from "@cistern/protocol";
import { type Directory, removeTree } from "../../host/index.js";
import type { VolumeContext } from "../driver.js";
import { failure, isErrno } from "./failure.js";
import { openTargetLazily, pathOf } from "./target-directory.js";

/**
 * Deletes a volume of a directory. One that is gone already is no error; a directory must be empty. What counts is what
 * lies there now: an empty directory in the place of a file is removed, too, and the reverse.
 */
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
    await using directory = await openTargetLazily(pool, host);
    // A ploop image is a directory of a few files.
    if (volume.type === "ploop") await removeTree(directory, volume.name);
    else if (isDirectory) await removeDirectory(directory, volume.name);
    else await removeEntry(directory, volume.name);
  } catch (thrown) {
    if (isErrno(thrown, "ENOENT")) return;
    throw failure(thrown, isDirectory ? `cannot remove directory '${path}'` : `cannot unlink file '${path}'`);
  }
}

async function removeEntry(directory: Directory, name: string): Promise<void> {
  try {
    await directory.removeFile(name);
  } catch (thrown) {
    if (!isErrno(thrown, "EISDIR")) throw thrown;
    await directory.removeDirectory(name);
  }
}

/** A symlink to a directory stays, as with libvirt: it is neither the volume nor what became of it. */
async function removeDirectory(directory: Directory, name: string): Promise<void> {
  try {
    await directory.removeDirectory(name);
  } catch (thrown) {
    if (!isErrno(thrown, "ENOTDIR") || (await leadsToDirectory(directory, name))) throw thrown;
    await directory.removeFile(name);
  }
}

async function leadsToDirectory(directory: Directory, name: string): Promise<boolean> {
  try {
    return (await directory.lookup(name, { follow: true })).kind === "directory";
  } catch (thrown) {
    // A symlink that leads nowhere.
    if (isErrno(thrown, "ENOENT", "ELOOP", "ENOTDIR")) return false;
    throw thrown;
  }
}
