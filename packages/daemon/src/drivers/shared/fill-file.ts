import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Directory } from "../../host/host.js";
import { identityOf, temporaryName } from "../../host/index.js";
import type { CloneSource, FoundVolume, VolumeContext } from "../driver.js";
import { createImageFile } from "./create-image.js";
import { createRaw } from "./create-raw.js";
import { refuseExisting } from "./existing-entry.js";
import { failingAs, isErrno, isUnanswered } from "./failure.js";
import { fillAtOnce } from "./fill-at-once.js";
import { DEFAULT_VOLUME_MODE, giveTo, shownMode } from "./new-file.js";
import { ploopToolsMissing } from "./ploop.js";
import { asPlainFile } from "./refresh-file.js";
import { ENTRY_BYTES, tellingRoom } from "./room.js";
import { mayHaveName, takeBack } from "./take-back.js";
import { openTargetRaw, pathOf } from "./target-directory.js";

/** Makes the file (or directory) of a new volume with its first content. Whatever fails, nothing of it is left. */
export async function fillFile(
  pool: PoolDocument,
  volume: VolumeDocument,
  source: CloneSource | null,
  flags: number,
  context: VolumeContext,
): Promise<FoundVolume | undefined> {
  const { format } = volume.target;
  const atOnce = source === null && flags === 0 ? await fillAtOnce(pool, volume, context) : null;
  if (atOnce !== null) return atOnce;
  await refuseExisting(pool, volume, context);
  if (format === "dir") checkDirectory(volume, source?.document ?? null, flags);
  if (format === "ploop") throw ploopToolsMissing();
  await using directory = await failingAs(
    `Failed to create file '${pathOf(volume)}'`,
    openTargetRaw(pool, context.host),
  );
  if (format === "dir") {
    const room = { directory, bytes: ENTRY_BYTES, detail: `failed to create directory '${pathOf(volume)}'` };
    await tellingRoom(room, () => createDirectory(directory, volume, context));
    return undefined;
  }
  if (isImage(volume) || (source !== null && isImage(source.document))) {
    return await createImageFile(pool, directory, volume, source, flags, context);
  }
  const facts = await createRaw(directory, volume, source, flags, context);
  return { document: asPlainFile(volume, facts), evidence: null, identity: identityOf(facts) };
}

/** Whatever has a header or a key; anything else is plain bytes. */
export function isImage({ type, target }: VolumeDocument): boolean {
  if (type !== "file") return false;
  return (target.format ?? "raw") !== "raw" || target.encryption !== null;
}

function checkDirectory(volume: VolumeDocument, source: VolumeDocument | null, flags: number): void {
  if (source !== null) {
    const text = "cannot copy from volume to a directory volume";
    throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, text);
  }
  LibvirtError.checkFlags(ErrorDomain.STORAGE, "createFileDir", flags, 0);
  if (volume.backingStore !== null) {
    const text = "backing storage not supported for directories volumes";
    throw LibvirtError.of(ErrorCode.NO_SUPPORT, ErrorDomain.STORAGE, text);
  }
}

/** Under a temporary name until it has its owner and mode, as a file would be. */
async function createDirectory(parent: Directory, volume: VolumeDocument, { job }: VolumeContext): Promise<void> {
  const { permissions } = volume.target;
  const mode = permissions.mode ?? DEFAULT_VOLUME_MODE;
  const path = pathOf(volume);
  const detail = `failed to create directory '${path}'`;
  const temporary = temporaryName();
  const place = await failingAs(detail, parent.facts(), ErrorDomain.NONE);
  const recorded = await job.record({
    kind: "temporary",
    directory: { path: parent.path, inode: place.inode },
    name: temporary,
  });
  let isLeft = false;
  try {
    const made = parent.makeDirectory(temporary, 0o700).catch((thrown: unknown) => {
      // A server that answers later may make it after all.
      isLeft = isUnanswered(thrown);
      throw thrown;
    });
    await failingAs(detail, made, ErrorDomain.NONE);
    try {
      await using directory = await failingAs(`stat of '${path}' failed`, parent.openDirectory(temporary));
      await giveTo({ path, changeOwner: (owner, group) => directory.changeOwner(owner, group) }, permissions);
      const { label } = permissions;
      if (label !== null) {
        await failingAs(`unable to set security context '${label}' on '${path}'`, directory.setLabel(label));
      }
      await failingAs(`cannot set mode of '${path}' to ${shownMode(mode)}`, directory.changeMode(mode));
      const { inode } = await failingAs(`stat of '${path}' failed`, directory.facts());
      const published = parent.publishEntry(temporary, volume.name, { sync: "directory" });
      const orNot = published.catch(async (thrown: unknown) => {
        if (mayHaveName(thrown)) await takeBack(parent, place, { name: volume.name, kind: "directory", inode }, thrown);
        throw thrown;
      });
      await failingAs(detail, orNot, ErrorDomain.NONE);
    } catch (thrown) {
      isLeft = await parent.removeDirectory(temporary).then(
        () => false,
        (failed: unknown) => !isErrno(failed, "ENOENT"),
      );
      throw thrown;
    }
  } finally {
    // What could not be removed is left to the next daemon.
    await (isLeft ? recorded.keep() : recorded.release());
  }
}
