import type { Permissions, VolumeDocument } from "@cistern/documents";
import { ErrorDomain, type LibvirtError } from "@cistern/protocol";
import {
  type ContentPiece,
  type Directory,
  type File,
  type FileFacts,
  HostError,
  type NewFileRequest,
  type PublishOptions,
} from "../../host/host.js";
import { hostLimits, temporaryName, withDeadline } from "../../host/index.js";
import type { Recorded } from "../../jobs/job.js";
import type { VolumeContext } from "../driver.js";
import { setNoCopyOnWrite } from "./copy-on-write.js";
import { failingAs, failure, isErrno, isUnanswered, throwIfCalledOff } from "./failure.js";
import { ENTRY_BYTES, tellingRoom } from "./room.js";
import { isNotDurable, mayHaveName, takeBack } from "./take-back.js";
import { pathOf } from "./target-directory.js";

/** libvirt's mode of a volume whose document names none. */
export const DEFAULT_VOLUME_MODE = 0o600;

/** -1 leaves it as it is, to the kernel as in libvirt's documents. */
const AS_IT_IS = -1;

const OWNER_MAY_READ_AND_WRITE = 0o600;

export interface NewFilePlan {
  readonly sizeBytes: bigint;
  /** It will hold no data: one flush, after it got its name, makes all of it durable. */
  readonly isEmpty: boolean;
  /** Sets the flag, or fails as libvirt does where the file system has none. */
  readonly noCopyOnWrite?: boolean;
}

/**
 * Makes a volume's file. It grows without a name (or, on file systems that know no such files, under a temporary one that
 * the journal knows) and gets its own when `write` is done with it: whoever sees it sees all of it, with its owner and mode,
 * and nothing that has the name by then is replaced. When something fails, nothing is left.
 */
export async function withNewFile(
  directory: Directory,
  volume: VolumeDocument,
  context: VolumeContext,
  { sizeBytes, isEmpty, noCopyOnWrite = false }: NewFilePlan,
  write: (file: File) => Promise<void>,
): Promise<FileFacts> {
  const { signal } = context.job;
  const path = pathOf(volume);
  const detail = `Failed to create file '${path}'`;
  const mode = volume.target.permissions.mode ?? DEFAULT_VOLUME_MODE;
  // A program that writes into it by name has to be let in, be the daemon root or not.
  const growingMode = mode | OWNER_MAY_READ_AND_WRITE;
  const request = requestFor(volume, growingMode, noCopyOnWrite ? 0n : sizeBytes);
  const entry = { directory, bytes: ENTRY_BYTES, detail };
  const making = tellingRoom(entry, () => make(directory, request, detail, context));
  const made = await making.catch((thrown: unknown) => {
    throw creationFailure(thrown, volume, mode);
  });
  const { file, named } = made;
  let isLeft = false;
  try {
    if (noCopyOnWrite) {
      // It can only be set while there is nothing in it.
      await setNoCopyOnWrite(file, true);
      await failingAs(`cannot extend file '${path}'`, file.truncate(sizeBytes, { signal }));
    }
    context.growing?.(file);
    await write(file);
    throwIfCalledOff(signal, detail);
    if (growingMode !== mode) await changeMode(file, mode);
    if (!isEmpty) await failingAs(`cannot sync data to file '${path}'`, file.sync({ signal }));
    const options = { sync: isEmpty ? "file" : "directory" } as const;
    return await tellingRoom(entry, () => failingAs(detail, publish(directory, made, volume.name, options)));
  } catch (thrown) {
    if (named !== null) isLeft = !(await isRemoved(directory, named.temporary));
    const freed = withDeadline(`Freeing '${path}'`, file.close(), hostLimits.freedAfterFailureMs, undefined);
    await freed.catch(() => {});
    throw thrown;
  } finally {
    // On the disk already, or to be forgotten: nobody has to wait for it.
    file.close().catch(() => {});
    // What could not be removed is left to the next daemon.
    await (isLeft ? named?.recorded.keep() : named?.recorded.release());
  }
}

/**
 * Makes a small volume's file whole, in one trip: as `withNewFile`, for content that is there beforehand. null where the file
 * system has no nameless files: nothing was done, and `withNewFile` has to do it.
 */
export async function makeWholeFile(
  directory: Directory,
  volume: VolumeDocument,
  { job: { signal } }: VolumeContext,
  { sizeBytes, content }: WholeFilePlan,
): Promise<FileFacts | null> {
  const mode = volume.target.permissions.mode ?? DEFAULT_VOLUME_MODE;
  const detail = `Failed to create file '${pathOf(volume)}'`;
  throwIfCalledOff(signal, detail);
  try {
    return await directory.createWhole(volume.name, requestFor(volume, mode, sizeBytes), content, { signal });
  } catch (thrown) {
    if (thrown instanceof HostError && thrown.code === "EOPNOTSUPP" && thrown.step === "create") return null;
    throw creationFailure(thrown, volume, mode);
  }
}

export interface WholeFilePlan {
  readonly sizeBytes: bigint;
  readonly content: readonly ContentPiece[];
}

/** A name that could not be made durable is taken back. */
async function publish(
  directory: Directory,
  { file, named }: Made,
  name: string,
  options: PublishOptions,
): Promise<FileFacts> {
  if (named !== null) return await publishNamed(directory, file, named, name, options);
  try {
    return await directory.publish(file, name, options);
  } catch (thrown) {
    if (isNotDurable(thrown)) await directory.removeFile(name).catch(() => {});
    throw thrown;
  }
}

async function publishNamed(
  directory: Directory,
  file: File,
  { temporary, place }: Named,
  name: string,
  options: PublishOptions,
): Promise<FileFacts> {
  const { inode } = await file.facts();
  // Some file systems keep what is renamed while it is open under yet another name.
  await file.close();
  try {
    return await directory.publishEntry(temporary, name, options);
  } catch (thrown) {
    if (mayHaveName(thrown)) await takeBack(directory, place, { name, kind: "file", inode }, thrown);
    throw thrown;
  }
}

/** False: it is there and cannot be removed. */
export function isRemoved(directory: Directory, temporary: string): Promise<boolean> {
  return directory.removeFile(temporary).then(
    () => true,
    (thrown: unknown) => isErrno(thrown, "ENOENT"),
  );
}

interface Made {
  readonly file: File;
  /** null: it has no name. */
  readonly named: Named | null;
}

interface Named {
  readonly temporary: string;
  readonly recorded: Recorded;
  /** Of the directory. */
  readonly place: FileFacts;
}

async function make(
  directory: Directory,
  request: NewFileRequest,
  detail: string,
  { job }: VolumeContext,
): Promise<Made> {
  const { signal } = job;
  try {
    return { file: await directory.createUnnamed(request, { signal }), named: null };
  } catch (thrown) {
    if (!(thrown instanceof HostError) || thrown.code !== "EOPNOTSUPP" || thrown.step !== "create") throw thrown;
  }
  const temporary = temporaryName();
  const place = await directory.facts({ signal });
  const recorded = await job.record({
    kind: "temporary",
    directory: { path: directory.path, inode: place.inode },
    name: temporary,
  });
  try {
    throwIfCalledOff(signal, detail);
    const file = await directory.createNamed(temporary, request, { signal });
    return { file, named: { temporary, recorded, place } };
  } catch (thrown) {
    // A server that answers later may make it after all.
    await (isUnanswered(thrown) ? recorded.keep() : recorded.release());
    throw thrown;
  }
}

function requestFor({ name, target }: VolumeDocument, mode: number, sizeBytes: bigint): NewFileRequest {
  const { owner, group, label } = target.permissions;
  return { mode, owner: owner ?? AS_IT_IS, group: group ?? AS_IT_IS, label, sizeBytes, shownAs: name };
}

/** libvirt's words for each step. */
function creationFailure(thrown: unknown, volume: VolumeDocument, mode: number): LibvirtError {
  const path = pathOf(volume);
  const { permissions } = volume.target;
  switch (thrown instanceof HostError ? thrown.step : undefined) {
    case "owner":
      return failure(thrown, chownDetail(path, permissions), ErrorDomain.NONE);
    case "mode":
      return failure(thrown, `cannot set mode of '${path}' to ${shownMode(mode)}`);
    case "label":
      return failure(thrown, `unable to set security context '${permissions.label}' on '${path}'`);
    case "size":
      return failure(thrown, `cannot extend file '${path}'`);
    case "write":
      return failure(thrown, `cannot write to file '${path}'`);
    default:
      return failure(thrown, `Failed to create file '${path}'`);
  }
}

async function changeMode(file: File, mode: number): Promise<void> {
  await failingAs(`cannot set mode of '${file.path}' to ${shownMode(mode)}`, file.changeMode(mode));
}

/** As libvirt writes it. */
export function shownMode(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

/** Gives a file or directory to the owner and group that the document names; those it does not name stay. */
export async function giveTo(
  place: { readonly path: string; changeOwner(owner: number, group: number): Promise<void> },
  permissions: Permissions,
): Promise<void> {
  const { owner, group } = permissions;
  if (owner === null && group === null) return;
  await failingAs(
    chownDetail(place.path, permissions),
    place.changeOwner(owner ?? AS_IT_IS, group ?? AS_IT_IS),
    ErrorDomain.NONE,
  );
}

function chownDetail(path: string, { owner, group }: Permissions): string {
  const [shownOwner, shownGroup] = [owner, group].map((id) => (id === null ? 0xffff_ffff : id));
  return `cannot chown '${path}' to (${shownOwner}, ${shownGroup})`;
}
