import { type Directory, type FileFacts, HostError } from "../../host/host.js";
import { isUnanswered } from "./failure.js";

/** Something new that was to get its name. */
export interface Published {
  readonly name: string;
  readonly kind: "file" | "directory";
  readonly inode: bigint;
}

/** After this failure of `publish` or `publishEntry`: it could not be made durable, or nobody has answered. */
export function mayHaveName(thrown: unknown): boolean {
  return isNotDurable(thrown) || isUnanswered(thrown);
}

/** It got its name, and that cannot be flushed. */
export function isNotDurable(thrown: unknown): boolean {
  return thrown instanceof HostError && thrown.step === "sync";
}

/**
 * Takes a new name back after `publish` failed: whoever was told so does not find it afterwards. `thrown`: the failure. Where
 * nobody has answered, the process that had the directory open is given up by now; then it is opened once more, and only what
 * has the inode is removed. A server that goes on hanging may still give the name later.
 */
export async function takeBack(
  directory: Directory,
  facts: Pick<FileFacts, "device" | "inode">,
  { name, kind, inode }: Published,
  thrown: unknown,
): Promise<void> {
  try {
    if (isNotDurable(thrown)) return await remove(directory, name, kind);
    await using again = await directory.host.openDirectory(directory.path);
    await again.insist(facts);
    if ((await again.lookup(name, { follow: false })).inode === inode) await remove(again, name, kind);
  } catch {
    // It had not got its name, or cannot be reached.
  }
}

function remove(directory: Directory, name: string, kind: Published["kind"]): Promise<void> {
  // Of a directory only an empty one goes.
  return kind === "directory" ? directory.removeDirectory(name) : directory.removeFile(name);
}
