import { posix } from "node:path";
import { ErrorDomain } from "@cistern/protocol";
import { type Directory, type File, HostError } from "../../host/host.js";
import type { CloneSource, VolumeContext } from "../driver.js";
import { failingAs, failure, isErrno } from "./failure.js";
import { refuseNewSymlink } from "./new-symlink.js";
import { pathOf } from "./target-directory.js";

const EACCES = 13;

/** The volume to clone, reached through the directory it lies in; it may be of any pool, a device as well as a file. */
export interface OpenSource {
  readonly directory: Directory;
  readonly name: string;
  readonly path: string;
  /** A symlink put in the place of the source leads nowhere (ELOOP), unless the source was one when it was found. */
  readonly followsSymlink: boolean;
}

/** Where its server refuses root, it is opened as its owner. */
export async function openSource(
  { document, followsSymlink = false }: CloneSource,
  { host, sourceHost = host }: Pick<VolumeContext, "host" | "sourceHost">,
): Promise<OpenSource> {
  const path = pathOf(document);
  const place = posix.dirname(path);
  const name = posix.basename(path);
  const { owner, group } = document.target.permissions;
  const detail = detailOf(path);
  const entry = { name, path, followsSymlink };
  try {
    const directory = await sourceHost.openDirectory(place);
    if (await isReadable(directory, name, followsSymlink)) return { ...entry, directory };
    await directory.close();
    throw new HostError("EACCES", EACCES, `"${path}" may not be read`);
  } catch (thrown) {
    const isRefused = isErrno(thrown, "EACCES", "EPERM");
    const other = isRefused && owner !== null ? await sourceHost.as?.(place, { owner, group: group ?? 0 }) : null;
    if (other == null) throw failure(thrown, detail);
    return { ...entry, directory: await failingAs(detail, other.openDirectory(place)) };
  }
}

/** Only permission is asked for; what else is wrong with it, whoever reads it will say. On local storage, root may. */
async function isReadable(directory: Directory, name: string, follow: boolean): Promise<boolean> {
  if (directory.host.home === "local") return true;
  try {
    await (await directory.open(name, { access: "read", follow })).close();
    return true;
  } catch (thrown) {
    return !isErrno(thrown, "EACCES", "EPERM");
  }
}

export async function openSourceFile({ directory, name, path, followsSymlink }: OpenSource): Promise<File> {
  return failingAs(detailOf(path), directory.open(name, { access: "read", follow: followsSymlink }));
}

/** For qemu-img, which opens it by its name. */
export async function refuseNewSource(
  { directory, name, path, followsSymlink }: OpenSource,
  { job: { signal } }: Pick<VolumeContext, "job">,
): Promise<void> {
  if (followsSymlink) return;
  await refuseNewSymlink(directory, name, { detail: detailOf(path), domain: ErrorDomain.STORAGE, signal });
}

function detailOf(path: string): string {
  return `could not open input path '${path}'`;
}
