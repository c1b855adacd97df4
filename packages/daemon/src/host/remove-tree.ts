import type { Directory } from "./host.js";

/** Removes a directory with all that is in it. Symlinks are removed, not followed. */
export async function removeTree(parent: Directory, name: string): Promise<void> {
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
