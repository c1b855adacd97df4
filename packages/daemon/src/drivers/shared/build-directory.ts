import { posix } from "node:path";
import type { PoolDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Directory, Host } from "../../host/host.js";
import { setNoCopyOnWrite } from "./copy-on-write.js";
import { failingAs, isErrno } from "./failure.js";
import { giveTo } from "./new-file.js";
import { targetPath } from "./target-directory.js";

/** libvirt's mode of a target directory that it makes and of which the document says nothing. */
const DEFAULT_TARGET_MODE = 0o711;

export const BUILD_NO_OVERWRITE = 4;
export const BUILD_OVERWRITE = 8;

/** The flags that pools on file systems know. */
export function checkBuildFlags(flags: number): void {
  LibvirtError.checkFlags(
    ErrorDomain.STORAGE,
    "virStorageBackendFileSystemBuild",
    flags,
    BUILD_NO_OVERWRITE | BUILD_OVERWRITE,
  );
  if ((flags & BUILD_NO_OVERWRITE) === 0 || (flags & BUILD_OVERWRITE) === 0) return;
  const [one, other] = ["VIR_STORAGE_POOL_BUILD_OVERWRITE", "VIR_STORAGE_POOL_BUILD_NO_OVERWRITE"] as const;
  const text = `Flags '${one}' and '${other}' are mutually exclusive`;
  throw LibvirtError.invalidArgument(ErrorDomain.STORAGE, "virStorageBackendFileSystemBuild", one, text);
}

/** 55 for a pool that has no file system to make. */
export function noSourceDevice(pool: PoolDocument): LibvirtError {
  const text = `No source device specified when formatting pool '${pool.name}'`;
  return LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, text);
}

/**
 * Makes the pool's target directory with its parents, and gives it the owner and mode of the document. An existing one is
 * changed in what the document says, otherwise left alone.
 */
export async function buildTarget(pool: PoolDocument, host: Host): Promise<void> {
  const path = targetPath(pool);
  if (!path.startsWith("/")) {
    throw LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, `path '${path}' is not absolute`);
  }
  const { permissions } = pool.target;
  await failingAs(`cannot create path '${path}'`, host.makeDirectories(posix.dirname(path)));
  const isNew = await failingAs(`failed to create directory '${path}'`, makeTarget(path, host), ErrorDomain.NONE);
  await using directory = await failingAs(
    `failed to create directory '${path}'`,
    host.openDirectory(path),
    ErrorDomain.NONE,
  );
  await giveTo(directory, permissions);
  const mode = permissions.mode ?? (isNew ? DEFAULT_TARGET_MODE : null);
  if (mode !== null) await changeMode(directory, mode);
  await controlCopyOnWrite(directory, pool.copyOnWrite);
}

/** Removes the target directory, which must be empty. */
export async function deleteTarget(pool: PoolDocument, host: Host, flags: number): Promise<void> {
  LibvirtError.checkFlags(ErrorDomain.STORAGE, "virStorageBackendDeleteLocal", flags, 0);
  const path = targetPath(pool);
  await failingAs(`failed to remove pool '${path}'`, host.removeDirectory(path));
}

/** False when it was there already. Nobody but root can enter a new one until it has its owner and mode. */
async function makeTarget(path: string, host: Host): Promise<boolean> {
  try {
    await host.makeDirectory(path, 0o700);
    return true;
  } catch (thrown) {
    if (isErrno(thrown, "EEXIST")) return false;
    throw thrown;
  }
}

async function changeMode(directory: Directory, mode: number): Promise<void> {
  const shown = mode.toString(8).padStart(4, "0");
  await failingAs(`cannot set mode of '${directory.path}' to ${shown}`, directory.changeMode(mode), ErrorDomain.NONE);
}

/** Images on btrfs are better off without copy on write; where the document does not ask for it, trying is enough. */
async function controlCopyOnWrite(directory: Directory, copyOnWrite: boolean | null): Promise<void> {
  try {
    await setNoCopyOnWrite(directory, copyOnWrite !== true);
  } catch (thrown) {
    if (copyOnWrite !== null) throw thrown;
  }
}
