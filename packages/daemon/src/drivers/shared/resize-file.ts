import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Directory, File, FileFacts } from "../../host/host.js";
import { hostLimits } from "../../host/index.js";
import type { Job } from "../../jobs/job.js";
import { passphraseId, resizeImage } from "../../tools/qemu-img.js";
import { checkEncryption, imageFormat, isPlainRaw } from "../../tools/qemu-img-checks.js";
import type { VolumeContext } from "../driver.js";
import { shrinkRefusal } from "../shrink-refusal.js";
import { allocateSpace } from "./allocate-space.js";
import { refuseEndlessChain } from "./endless-chain.js";
import { failingAs, isErrno, throwIfCalledOff } from "./failure.js";
import { blockRanges, lengthOf } from "./file-ranges.js";
import { FilledHoles } from "./filled-holes.js";
import { recordInPlace } from "./in-place.js";
import { refuseNewSymlink } from "./new-symlink.js";
import { passphraseOf, withPassphraseFile, withSecretOfPath } from "./passphrase-file.js";
import { ploopToolsMissing } from "./ploop.js";
import { tellingRoomBefore, withRoom } from "./room.js";
import { jobOptions, runCommand } from "./run-command.js";
import { openTargetRaw, pathOf } from "./target-directory.js";

const ALLOCATE = 1;
const SHRINK = 4;
const QCOW2_CLUSTER_BYTES = 65_536n;

/** Changes what a guest sees of the volume. Whether the new size makes sense is the caller's to check. */
export async function resizeFile(
  pool: PoolDocument,
  volume: VolumeDocument,
  capacityBytes: bigint,
  flags: number,
  context: VolumeContext,
): Promise<void> {
  LibvirtError.checkFlags(ErrorDomain.STORAGE, "virStorageBackendVolResizeLocal", flags, ALLOCATE | SHRINK);
  if (volume.type === "ploop") throw ploopToolsMissing();
  const detail = `Unable to open '${pathOf(volume)}'`;
  // What is recorded decides, not what the file looks like: a guest may have written an image's header into it.
  const isRaw = isPlainRaw(volume);
  if ((flags & ALLOCATE) !== 0 && !(isRaw && volume.target.format === "raw")) {
    const text = "preallocate is only supported for raw type volume";
    throw LibvirtError.of(ErrorCode.OPERATION_UNSUPPORTED, ErrorDomain.STORAGE, text);
  }
  await using directory = await failingAs(detail, openTargetRaw(pool, context.host), ErrorDomain.NONE);
  if (isRaw) await resizeRaw(directory, volume, capacityBytes, flags, context);
  else await resizeWithQemuImg(directory, volume, capacityBytes, context);
}

/**
 * The file has its old or its new size at any moment: space for a longer one is reserved behind its end, and only then the
 * end is moved. Should the daemon die in between, the record sees that the space is given back. From the moving of the end
 * on it is not called off any more: nobody could tell which size the file has then.
 */
async function resizeRaw(
  directory: Directory,
  volume: VolumeDocument,
  capacityBytes: bigint,
  flags: number,
  context: VolumeContext,
): Promise<void> {
  const path = pathOf(volume);
  const allocates = (flags & ALLOCATE) !== 0;
  const { job, followsSymlink = false } = context;
  const { signal } = job;
  const opened = directory.open(volume.name, { access: "read-write", follow: followsSymlink }, { signal });
  await using file = await failingAs(`Unable to open '${path}'`, opened, ErrorDomain.NONE);
  const { sizeBytes } = await failingAs(`Failed to stat file '${path}'`, file.facts({ signal }), ErrorDomain.NONE);
  // The caller knew the size of the last look; what the file has got since is not cut off unasked.
  if (capacityBytes < sizeBytes && (flags & SHRINK) === 0) throw shrinkRefusal();
  const recorded = allocates ? await recordInPlace({ kind: "resize" }, directory, volume, job) : null;
  try {
    if (allocates) await reserve(directory, file, volume, capacityBytes, context);
    else throwIfCalledOff(signal, `Failed to truncate file '${path}'`);
    await failingAs(`Failed to truncate file '${path}'`, file.truncate(capacityBytes), ErrorDomain.NONE);
    // A size that was reported is there after a power cut as well.
    await failingAs(`cannot sync file '${path}'`, file.sync(), ErrorDomain.NONE);
  } finally {
    await recorded?.release();
  }
}

async function reserve(
  directory: Directory,
  file: File,
  volume: VolumeDocument,
  capacityBytes: bigint,
  context: VolumeContext,
): Promise<void> {
  const { job } = context;
  const { signal } = job;
  const detail = `Failed to pre-allocate space for file '${pathOf(volume)}'`;
  const facts = await failingAs(detail, file.facts({ signal }), ErrorDomain.NONE);
  const { sizeBytes } = facts;
  const presentBytes = await blocksBelow(file, facts, capacityBytes, job, detail);
  const bytes = capacityBytes > presentBytes ? capacityBytes - presentBytes : 0n;
  const beforeBytes = capacityBytes < sizeBytes ? capacityBytes : sizeBytes;
  const holes = await FilledHoles.of(file, beforeBytes, job, detail);
  try {
    await withRoom({ directory, bytes, detail }, context, (taken) =>
      failingAs(
        detail,
        allocateTo(file, { sizeBytes, capacityBytes, missingBytes: bytes, holes }, job, taken),
        ErrorDomain.NONE,
      ),
    );
    throwIfCalledOff(signal, detail);
  } catch (thrown) {
    // Cutting it where it ends gives back what was reserved behind.
    await file.truncate(sizeBytes).catch(() => {});
    await holes.giveBack(job);
    throw thrown;
  }
}

/** What of a volume's capacity is there already; blocks behind a smaller new end are nothing of it. */
async function blocksBelow(
  file: File,
  { sizeBytes, allocatedBytes }: FileFacts,
  capacityBytes: bigint,
  { signal }: Job,
  detail: string,
): Promise<bigint> {
  // Without anything behind it, or where it cannot be told where the blocks are, their number has to do.
  if (capacityBytes >= sizeBytes) return allocatedBytes;
  if ((await failingAs(detail, file.blocksFrom(capacityBytes, { signal }))) === null) return allocatedBytes;
  return await lengthOf(blockRanges(file, { lengthBytes: capacityBytes, signal, detail }));
}

interface Growth {
  readonly sizeBytes: bigint;
  readonly capacityBytes: bigint;
  /** What it takes beside what it has. */
  readonly missingBytes: bigint;
  /** Of what lies before both ends. */
  readonly holes: FilledHoles;
}

/**
 * First behind the end, where most of it is missing and what was taken can be given back; then the holes before it, which are
 * counted as the last of what is before the end.
 */
async function allocateTo(
  file: File,
  { sizeBytes, capacityBytes, missingBytes, holes }: Growth,
  job: Job,
  taken: (bytes: bigint) => void,
): Promise<void> {
  const behindBytes = capacityBytes > sizeBytes ? capacityBytes - sizeBytes : 0n;
  const beforeBytes = capacityBytes - behindBytes;
  const thereBytes = capacityBytes - missingBytes;
  const newOf = (doneBytes: bigint): bigint => (doneBytes > thereBytes ? doneBytes - thereBytes : 0n);
  const told = (doneBytes: bigint, takenBytes: bigint, isMoved = false): void => {
    taken(takenBytes);
    job.progress(doneBytes, capacityBytes, { isMoved });
  };
  try {
    const behind = { offsetBytes: sizeBytes, lengthBytes: behindBytes, keepSize: true };
    await allocateSpace(file, behind, job, (done) => told(done, done));
    const before = { offsetBytes: 0n, lengthBytes: beforeBytes, keepSize: true };
    holes.fillingUntil(hostLimits.allocateMostBytes);
    await allocateSpace(file, before, job, (done) => {
      holes.fillingUntil(done + hostLimits.allocateMostBytes);
      told(behindBytes + done, behindBytes + newOf(done));
    });
  } catch (thrown) {
    if (!isErrno(thrown, "EOPNOTSUPP")) throw thrown;
    // File systems that cannot reserve write zeros: within the new end, so that no other size is ever seen.
    if (behindBytes > 0n) await file.truncate(capacityBytes);
    await allocateSpace(file, { offsetBytes: 0n, lengthBytes: capacityBytes }, job, (done) =>
      told(done, newOf(done), true),
    );
  }
}

async function resizeWithQemuImg(
  directory: Directory,
  volume: VolumeDocument,
  capacityBytes: bigint,
  context: VolumeContext,
): Promise<void> {
  const { host, job, followsSymlink = false } = context;
  const { signal } = job;
  if (!followsSymlink) {
    const detail = `Unable to open '${pathOf(volume)}'`;
    await refuseNewSymlink(directory, volume.name, { detail, domain: ErrorDomain.NONE, signal });
  }
  await refuseEndlessChain({ path: pathOf(volume), format: formatOf(volume), followsSymlink }, host, signal);
  // It may have become longer in good order: cutting an image loses what lies there.
  const change = { kind: "content", sizeBytes: null } as const;
  const recorded = await recordInPlace(change, directory, volume, context.job);
  try {
    const detail = `Failed to resize '${pathOf(volume)}'`;
    const room = { directory, bytes: tableBytes(volume, capacityBytes), detail };
    await tellingRoomBefore(room, () => runQemuImg(directory, volume, capacityBytes, context));
  } finally {
    await recorded.release();
  }
}

/** A longer image takes at least its first table anew, which has 8 bytes for each second table of 8 bytes for each cluster. */
function tableBytes({ target }: VolumeDocument, capacityBytes: bigint): bigint {
  const clusterBytes = target.clusterSizeBytes > 0n ? target.clusterSizeBytes : QCOW2_CLUSTER_BYTES;
  const entries = divideUp(capacityBytes, (clusterBytes * clusterBytes) / 8n);
  return divideUp(entries * 8n, clusterBytes) * clusterBytes;
}

function divideUp(bytes: bigint, by: bigint): bigint {
  return (bytes + by - 1n) / by;
}

function formatOf(volume: VolumeDocument): string {
  // To a directory qemu-img says what it is, in whatever format.
  return volume.type === "dir" ? "raw" : imageFormat(volume);
}

async function runQemuImg(
  directory: Directory,
  volume: VolumeDocument,
  capacityBytes: bigint,
  context: VolumeContext,
): Promise<void> {
  const size = { capacityBytes, shrinks: capacityBytes < volume.capacityBytes };
  const image = { in: directory, name: volume.name };
  const whenMissing = LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, "unable to find qemu-img");
  const options = { ...jobOptions(context.job), whenMissing };
  const { target } = volume;
  if (target.encryption === null) {
    await runCommand(
      context.host,
      resizeImage({ image, format: formatOf(volume), passphrase: null, ...size }),
      options,
    );
    return;
  }
  const encryption = await withSecretOfPath(target.encryption, pathOf(volume), context);
  checkEncryption({ ...volume, target: { ...target, encryption } });
  const format = imageFormat(volume) === "raw" ? "luks" : imageFormat(volume);
  const passphrase = await passphraseOf(encryption, context);
  await withPassphraseFile(context.privateDirectory, passphraseId(volume.name), passphrase, async (argument) => {
    await runCommand(context.host, resizeImage({ image, format, passphrase: argument, ...size }), options);
  });
}
