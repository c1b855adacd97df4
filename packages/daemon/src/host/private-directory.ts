import { commandDirectoryPrefix } from "./command-line.js";
import type { Directory } from "./host.js";
import { removeTree } from "./remove-tree.js";

/** How files with a passphrase end, in the daemon's private directory. */
export const PASSPHRASE_SUFFIX = ".secret";

/**
 * Removes what a daemon left in its private directory that had no time to clean up: files with passphrases, and the
 * directories of commands. To be called by the holder of the daemon's lock, before it takes calls. What is not ours stays.
 * Rejects with the first HostError, after it has tried everything.
 */
export async function clearPrivateDirectory(directory: Directory): Promise<void> {
  const names = await directory.names();
  const removals = names.map((name) => {
    if (name.endsWith(PASSPHRASE_SUFFIX)) return directory.removeFile(name);
    return name.startsWith(commandDirectoryPrefix) ? removeTree(directory, name) : Promise.resolve();
  });
  const failed = (await Promise.allSettled(removals)).find((removal) => removal.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
