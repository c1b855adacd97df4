import type { Permissions } from "@cistern/documents";
import { ErrorDomain } from "@cistern/protocol";
import type { Directory, File } from "../../host/host.js";
import { failingAs } from "./failure.js";

/** libvirt's mode of a volume whose document names none. */
export const DEFAULT_VOLUME_MODE = 0o600;

/** -1 leaves it as it is, to the kernel as in libvirt's documents. */
const AS_IT_IS = -1;

/**
 * Makes a file that must not exist (38 `Failed to create file '…'`) and lets `write` fill it. When that fails the file is
 * removed: nobody but this call has put anything into it.
 */
export async function withNewFile(
  directory: Directory,
  name: string,
  mode: number,
  write: (file: File) => Promise<void>,
): Promise<void> {
  const path = `${directory.path}/${name}`;
  const request = { access: "read-write", create: "exclusive", mode } as const;
  const file = await failingAs(`Failed to create file '${path}'`, directory.open(name, request));
  try {
    await write(file);
  } catch (thrown) {
    await directory.removeFile(name).catch(() => {
      // What is to be told is why it could not be filled.
    });
    throw thrown;
  } finally {
    await file.close();
  }
}

/** Gives a file or directory to the owner and group that the document names; those it does not name stay. */
export async function giveTo(
  place: { readonly path: string; changeOwner(owner: number, group: number): Promise<void> },
  { owner, group }: Permissions,
): Promise<void> {
  if (owner === null && group === null) return;
  const [shownOwner, shownGroup] = [owner, group].map((id) => (id === null ? 0xffff_ffff : id));
  await failingAs(
    `cannot chown '${place.path}' to (${shownOwner}, ${shownGroup})`,
    place.changeOwner(owner ?? AS_IT_IS, group ?? AS_IT_IS),
    ErrorDomain.NONE,
  );
}
