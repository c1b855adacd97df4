import { posix } from "node:path";
import type { VolumeDocument } from "@cistern/documents";
import type { Directory, File, Host } from "../../host/host.js";
import { failingAs } from "./failure.js";
import { pathOf } from "./target-directory.js";

/** The volume to clone, reached through the directory it lies in; it may be of any pool, a device as well as a file. */
export interface OpenSource {
  readonly directory: Directory;
  readonly name: string;
}

export async function openSource(source: VolumeDocument, host: Host): Promise<OpenSource> {
  const path = pathOf(source);
  const directory = await failingAs(`could not open input path '${path}'`, host.openDirectory(posix.dirname(path)));
  return { directory, name: posix.basename(path) };
}

export async function openSourceFile(source: VolumeDocument, { directory, name }: OpenSource): Promise<File> {
  return failingAs(`could not open input path '${pathOf(source)}'`, directory.open(name, { access: "read" }));
}
