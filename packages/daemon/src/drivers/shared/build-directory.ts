import { posix } from "node:path";
import type { PoolDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import { type CallOptions, type Directory, type File, type Host, HostError } from "../../host/host.js";
import { setNoCopyOnWrite } from "./copy-on-write.js";
import { failingAs, isErrno } from "./failure.js";
import { giveTo } from "./new-file.js";
import { nothingAt, targetPath } from "./target-directory.js";

/** libvirt's mode of a target directory that it makes and of which the document says nothing. */
const DEFAULT_TARGET_MODE = 0o711;

const ENOTDIR = 20;

export const BUILD_NO_OVERWRITE = 4;
export const BUILD_OVERWRITE = 8;

/** The flags that pools on file systems know, and those on disks. `where`: libvirt's function, which its messages name. */
export function checkBuildFlags(flags: number, where = "virStorageBackendFileSystemBuild"): void {
  LibvirtError.checkFlags(ErrorDomain.STORAGE, where, flags, BUILD_NO_OVERWRITE | BUILD_OVERWRITE);
  if ((flags & BUILD_NO_OVERWRITE) === 0 || (flags & BUILD_OVERWRITE) === 0) return;
  const [one, other] = ["VIR_STORAGE_POOL_BUILD_OVERWRITE", "VIR_STORAGE_POOL_BUILD_NO_OVERWRITE"] as const;
  const text = `Flags '${one}' and '${other}' are mutually exclusive`;
  // "ctl" is what libvirt says here, whatever it stands for.
  throw LibvirtError.invalidArgument(ErrorDomain.STORAGE, where, "ctl", text);
}

/** 55 for a pool that has no file system to make; its document may name a device all the same. */
export async function nothingToFormat(pool: PoolDocument, host: Host): Promise<LibvirtError> {
  const device = pool.source.devices[0]?.path;
  const isMissing = device !== undefined && !(await exists(device, host));
  const reason = isMissing ? "Source device does not exist" : "No source device specified";
  const text = `${reason} when formatting pool '${pool.name}'`;
  return LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, text);
}

/**
 * Makes the pool's target directory with its parents, and gives it the owner and mode of the document. An existing one is
 * changed in what the document says, otherwise left alone; so is, as with libvirt, whatever else stands in its place: the
 * start of the pool will say that it is no directory. `signal` ends the waiting for storage that does not answer.
 */
export async function buildTarget(pool: PoolDocument, host: Host, signal?: CancelSignal): Promise<void> {
  const options = signal === undefined ? {} : { signal };
  const path = targetPath(pool);
  if (!path.startsWith("/")) {
    throw LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, `path '${path}' is not absolute`);
  }
  const { permissions } = pool.target;
  const parent = posix.dirname(path);
  await failingAs(`cannot create path '${parent}'`, makeParents(parent, host, options));
  const isNew = await failingAs(
    `failed to create directory '${path}'`,
    makeTarget(path, host, options),
    ErrorDomain.NONE,
  );
  await using target = await failingAs(
    `failed to create directory '${path}'`,
    openTarget(path, host, options),
    ErrorDomain.NONE,
  );
  await giveTo(target, permissions);
  const mode = permissions.mode ?? (isNew ? DEFAULT_TARGET_MODE : null);
  if (mode !== null) await changeMode(target, mode);
  await controlCopyOnWrite(target, pool.copyOnWrite);
  await host.letGo?.(path);
}

/** Removes the target directory, which must be empty. */
export async function deleteTarget(pool: PoolDocument, host: Host, flags: number): Promise<void> {
  LibvirtError.checkFlags(ErrorDomain.STORAGE, "virStorageBackendDeleteLocal", flags, 0);
  const path = targetPath(pool);
  const removed = path.startsWith("/") ? host.removeDirectory(path) : Promise.reject(nothingAt(path));
  await failingAs(`failed to remove pool '${path}'`, removed);
}

async function exists(path: string, host: Host, options: CallOptions = {}): Promise<boolean> {
  if (!path.startsWith("/")) return false;
  try {
    await host.facts(path, options);
    return true;
  } catch (thrown) {
    if (isErrno(thrown, "ECANCELED")) throw thrown;
    return false;
  }
}

async function makeParents(path: string, host: Host, options: CallOptions): Promise<void> {
  try {
    await host.makeDirectories(path, options);
  } catch (thrown) {
    // The last of them is there and no directory: for whoever wants to make something in it, that is the same thing.
    throw isErrno(thrown, "EEXIST") ? new HostError("ENOTDIR", ENOTDIR, `${path} is no directory`) : thrown;
  }
}

/** False when it was there already. Nobody but root can enter a new one until it has its owner and mode. */
async function makeTarget(path: string, host: Host, options: CallOptions): Promise<boolean> {
  try {
    await host.makeDirectory(path, 0o700, options);
    return true;
  } catch (thrown) {
    // A symlink that leads nowhere is in the way and is nothing that could be used.
    if (isErrno(thrown, "EEXIST") && (await exists(path, host, options))) return false;
    throw thrown;
  }
}

async function openTarget(path: string, host: Host, options: CallOptions): Promise<Directory | File> {
  try {
    return await host.openDirectory(path, options);
  } catch (thrown) {
    if (isErrno(thrown, "ENOTDIR")) return host.openFile(path, "read", options);
    throw thrown;
  }
}

async function changeMode(target: Directory | File, mode: number): Promise<void> {
  const shown = mode.toString(8).padStart(4, "0");
  await failingAs(`cannot set mode of '${target.path}' to ${shown}`, target.changeMode(mode), ErrorDomain.NONE);
}

/** Images on btrfs are better off without copy on write; where the document does not ask for it, trying is enough. */
async function controlCopyOnWrite(target: Directory | File, copyOnWrite: boolean | null): Promise<void> {
  try {
    await setNoCopyOnWrite(target, copyOnWrite !== true);
  } catch (thrown) {
    if (copyOnWrite !== null) throw thrown;
  }
}
