import { posix } from "node:path";
import type { VolumeDocument } from "@cistern/documents";
import { type Directory, type File, HostError } from "../../host/host.js";
import type { VolumeContext } from "../driver.js";
import { failingAs, failure, isErrno } from "./failure.js";
import { pathOf } from "./target-directory.js";

const EACCES = 13;

/** The volume to clone, reached through the directory it lies in; it may be of any pool, a device as well as a file. */
export interface OpenSource {
  readonly directory: Directory;
  readonly name: string;
}

/** Where its server refuses root, it is opened as its owner. */
export async function openSource(
  source: VolumeDocument,
  { host, sourceHost = host }: Pick<VolumeContext, "host" | "sourceHost">,
): Promise<OpenSource> {
  const path = pathOf(source);
  const place = posix.dirname(path);
  const name = posix.basename(path);
  const { owner, group } = source.target.permissions;
  const detail = `could not open input path '${path}'`;
  try {
    const directory = await sourceHost.openDirectory(place);
    if (await isReadable(directory, name)) return { directory, name };
    await directory.close();
    throw new HostError("EACCES", EACCES, `"${path}" may not be read`);
  } catch (thrown) {
    const isRefused = isErrno(thrown, "EACCES", "EPERM");
    const other = isRefused && owner !== null ? await sourceHost.as?.(place, { owner, group: group ?? 0 }) : null;
    if (other == null) throw failure(thrown, detail);
    return { directory: await failingAs(detail, other.openDirectory(place)), name };
  }
}

/** Only permission is asked for; what else is wrong with it, whoever reads it will say. On local storage, root may. */
async function isReadable(directory: Directory, name: string): Promise<boolean> {
  if (directory.host.home === "local") return true;
  try {
    await (await directory.open(name, { access: "read" })).close();
    return true;
  } catch (thrown) {
    return !isErrno(thrown, "EACCES", "EPERM");
  }
}

export async function openSourceFile(source: VolumeDocument, { directory, name }: OpenSource): Promise<File> {
  return failingAs(`could not open input path '${pathOf(source)}'`, directory.open(name, { access: "read" }));
}
