import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Directory } from "../../host/host.js";
import type { VolumeContext } from "../driver.js";
import { failure, isErrno } from "./failure.js";
import { openTargetLazily, pathOf, volumePath } from "./target-directory.js";

/** 55 "volume target path '…' already exists", where something is there under the new volume's name. */
export async function refuseExisting(
  pool: PoolDocument,
  volume: VolumeDocument,
  context: VolumeContext,
): Promise<void> {
  if (await exists(pool, volume.name, context)) throw alreadyExists(pathOf(volume));
}

export function alreadyExists(path: string): LibvirtError {
  return LibvirtError.of(
    ErrorCode.OPERATION_INVALID,
    ErrorDomain.STORAGE,
    `volume target path '${path}' already exists`,
  );
}

async function exists(pool: PoolDocument, name: string, context: VolumeContext): Promise<boolean> {
  let directory: Directory | null = null;
  try {
    directory = await openTargetLazily(pool, context.host);
    await directory.lookup(name, { follow: true });
    return true;
  } catch (thrown) {
    // Before anything is written: a nameless file would get its name, and this error, when all of it is there.
    if (isErrno(thrown, "ENAMETOOLONG")) throw failure(thrown, `Failed to create file '${volumePath(pool, name)}'`);
    // Whatever else hides it (a directory that is gone), making the file will say it better.
    if (!isErrno(thrown, "ETIMEDOUT", "ECANCELED")) return false;
    throw failure(thrown, `cannot look up '${volumePath(pool, name)}'`);
  } finally {
    await directory?.close();
  }
}
