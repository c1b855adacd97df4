import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorDomain } from "@cistern/protocol";
import type { Directory, File, FileAccess } from "../../host/host.js";
import type { Recorded } from "../../jobs/job.js";
import type { UploadTarget, VolumeContext } from "../driver.js";
import { failingAs } from "./failure.js";
import { recordInPlace } from "./in-place.js";
import { ploopToolsMissing } from "./ploop.js";
import { tellingRoomBefore, usableBytesOf } from "./room.js";
import { openTargetRaw, pathOf } from "./target-directory.js";
import { bytesToWipe, checkWipe, wipeFile } from "./wipe-file.js";

/** Opens a volume of a directory for a download: 38/38 `Unable to open stream for '…'`. */
export async function openForDownload(
  pool: PoolDocument,
  volume: VolumeDocument,
  context: VolumeContext,
): Promise<File> {
  await using directory = await openForStream(pool, volume, context);
  return await openEntry(directory, volume, "read", context, streamDetail(volume), ErrorDomain.STREAMS);
}

/** The same for an upload, which is written down before the first byte comes. */
export async function openForUpload(
  pool: PoolDocument,
  volume: VolumeDocument,
  context: VolumeContext,
): Promise<UploadTarget> {
  await using directory = await openForStream(pool, volume, context);
  const file = await openEntry(directory, volume, "write", context, streamDetail(volume), ErrorDomain.STREAMS);
  try {
    await relabel(file, volume);
    const recorded = await recordContent(directory, file, volume, context);
    return { file, recorded, freeBytes: () => freeBytesOf(pool, context) };
  } catch (thrown) {
    await file.close();
    throw thrown;
  }
}

/** Wipes a volume of a directory. */
export async function wipeEntry(
  pool: PoolDocument,
  volume: VolumeDocument,
  algorithm: number,
  context: VolumeContext,
): Promise<void> {
  checkWipe(volume, algorithm);
  const detail = `Failed to open storage volume with path '${pathOf(volume)}'`;
  await using directory = await failingAs(detail, openTargetRaw(pool, context.host));
  await using file = await openEntry(directory, volume, "read-write", context, detail, ErrorDomain.STORAGE);
  const recorded = await recordContent(directory, file, volume, context);
  try {
    const facts = await failingAs(`cannot stat file '${file.path}'`, file.facts({ signal: context.job.signal }));
    const wiping = `Failed to wipe volume with path '${pathOf(volume)}'`;
    const room = { directory, bytes: bytesToWipe(facts, algorithm), detail: wiping };
    await tellingRoomBefore(room, () => wipeFile(file, volume, algorithm, context));
  } finally {
    await recorded.release();
  }
}

/**
 * Says what it is to be cut back to, where that is safe: not what a symlink leads to, which may be another file by then, and
 * not where a server's clock dates the changes.
 */
async function recordContent(
  directory: Directory,
  file: File,
  volume: VolumeDocument,
  { followsSymlink = false, job }: VolumeContext,
): Promise<Recorded> {
  const { kind, sizeBytes } = await failingAs(`cannot stat file '${file.path}'`, file.facts({ signal: job.signal }));
  const mayBeCut = kind === "file" && !followsSymlink && directory.host.home === "local";
  return recordInPlace({ kind: "content", sizeBytes: mayBeCut ? sizeBytes : null }, directory, volume, job);
}

async function freeBytesOf(pool: PoolDocument, { host }: VolumeContext): Promise<bigint> {
  await using directory = await openTargetRaw(pool, host);
  return await usableBytesOf(directory);
}

function streamDetail(volume: VolumeDocument): string {
  return `Unable to open stream for '${pathOf(volume)}'`;
}

async function openForStream(pool: PoolDocument, volume: VolumeDocument, { host }: VolumeContext): Promise<Directory> {
  if (volume.type === "ploop") throw ploopToolsMissing();
  return failingAs(streamDetail(volume), openTargetRaw(pool, host), ErrorDomain.STREAMS);
}

/** Its label, where the file has lost it. One that somebody gave it since is not taken away: a guest may run with it. */
async function relabel(file: File, { target }: VolumeDocument): Promise<void> {
  const { label } = target.permissions;
  if (label === null || (await failingAs(`cannot stat file '${file.path}'`, file.facts())).label !== null) return;
  await failingAs(`unable to set security context '${label}' on '${file.path}'`, file.setLabel(label));
}

/** A symlink put in the place of the volume leads nowhere (ELOOP), unless the volume was one when it was found. */
function openEntry(
  directory: Directory,
  volume: VolumeDocument,
  access: FileAccess,
  { followsSymlink = false, job }: VolumeContext,
  detail: string,
  domain: ErrorDomain,
): Promise<File> {
  const opened = directory.open(volume.name, { access, follow: followsSymlink }, { signal: job.signal });
  return failingAs(detail, opened, domain);
}
