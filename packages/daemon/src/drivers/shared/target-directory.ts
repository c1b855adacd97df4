import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorDomain } from "@cistern/protocol";
import { type CallOptions, type Directory, type Host, HostError } from "../../host/host.js";
import { failingAs } from "./failure.js";

const ENOENT = 2;

/** The pool's target as it stands in the document. */
export function targetPath(pool: PoolDocument): string {
  return pool.target.path ?? "";
}

/** libvirt joins with one slash, whatever the target ends in. */
export function volumePath(pool: PoolDocument, name: string): string {
  return `${targetPath(pool)}/${name}`;
}

/** For messages. */
export function pathOf(volume: VolumeDocument): string {
  return volume.target.path ?? volume.name;
}

/** Opens the directory that holds the pool's volumes, or gives 38/0 `cannot open directory '…'`. */
export function openTarget(pool: PoolDocument, host: Host, options?: CallOptions): Promise<Directory> {
  return failingAs(`cannot open directory '${targetPath(pool)}'`, openTargetRaw(pool, host, options), ErrorDomain.NONE);
}

/** The same with the host's own error, for calls that word it otherwise. */
export async function openTargetRaw(pool: PoolDocument, host: Host, options?: CallOptions): Promise<Directory> {
  const path = targetPath(pool);
  if (!path.startsWith("/")) throw nothingAt(path);
  return host.openDirectory(path, options);
}

/** For one call or few: whether the directory is there is found out by the first one (`OpenDirectoryOptions.lazily`). */
export async function openTargetLazily(pool: PoolDocument, host: Host): Promise<Directory> {
  const path = targetPath(pool);
  if (!path.startsWith("/")) throw nothingAt(path);
  return host.openDirectory(path, { lazily: true });
}

/** A document may hold a relative target; to a daemon there is nothing there. */
export function nothingAt(relativePath: string): HostError {
  return new HostError("ENOENT", ENOENT, `${relativePath} is not absolute`);
}
