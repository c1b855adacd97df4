import { posix } from "node:path";
import type { VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { ByteRange, File, FileFacts } from "../../host/host.js";
import { EarlyWriteback } from "../../host/index.js";
import type { Job } from "../../jobs/job.js";
import { SCRUB_PATTERNS, scrub } from "../../tools/scrub.js";
import type { VolumeContext } from "../driver.js";
import { failingAs, isErrno, throwIfCalledOff } from "./failure.js";
import { blockRanges, lengthOf, wholeRange } from "./file-ranges.js";
import { ploopToolsMissing } from "./ploop.js";
import { jobOptions, runCommand } from "./run-command.js";
import { stepOf } from "./step.js";
import { pathOf } from "./target-directory.js";

const ZERO = 0;
const RANDOM = 8;
const TRIM = 9;

/** 512 bytes each, whatever the file system's blocks are. */
const STAT_BLOCK_BYTES = 512n;

/**
 * Makes the content of an open file or device unreadable, by libvirt's number of an algorithm. Zeros, random bytes and trim
 * are done here, the algorithms of several passes by `scrub`. What the way of the storage leaves readable all the same is
 * told as a remark of the job: a wipe that says nothing has overwritten every block.
 */
export async function wipeFile(
  file: File,
  volume: VolumeDocument,
  algorithm: number,
  context: VolumeContext,
): Promise<void> {
  const { job, host } = context;
  if (algorithm !== TRIM) await remarkOnSurvivors(file, job);
  if (algorithm === ZERO) await overwrite(file, volume, "zeros", job);
  else if (algorithm === RANDOM) await overwrite(file, volume, "random", job);
  else if (algorithm === TRIM) await trim(file, volume, job);
  else {
    const pattern = SCRUB_PATTERNS[algorithm] ?? null;
    if (pattern === null) throw algorithmUnsupported(algorithm);
    job.way(`scrub, pattern ${pattern}`);
    await keepingSize(file, volume, job, () =>
      runCommand(host, scrub(pattern, file, posix.basename(pathOf(volume))), jobOptions(job)),
    );
  }
}

/**
 * What a wipe takes at least beside what the volume has: scrub fills holes. Nothing else takes any, but for a block at a time
 * where the file system writes elsewhere.
 */
export function bytesToWipe({ sizeBytes, allocatedBytes, blockSizeBytes }: FileFacts, algorithm: number): bigint {
  const isDoneHere = algorithm === ZERO || algorithm === RANDOM || algorithm === TRIM;
  const holeBytes = !isDoneHere ? sizeBytes - allocatedBytes : 0n;
  return holeBytes > 0n ? holeBytes : BigInt(blockSizeBytes);
}

/** scrub lengthens a file to whole blocks. */
async function keepingSize(file: File, volume: VolumeDocument, job: Job, work: () => Promise<unknown>): Promise<void> {
  const { kind, sizeBytes } = await factsOf(file, volume, job);
  try {
    await work();
  } finally {
    // Also of one that was given up.
    if (kind === "file" && (await factsOf(file, volume)).sizeBytes > sizeBytes) {
      await cutTo(file, sizeBytes, volume);
      await failingAs(`cannot sync data to volume with path '${pathOf(volume)}'`, file.syncData());
    }
  }
}

/** What has to be said before the volume is opened. */
export function checkWipe(volume: VolumeDocument, algorithm: number): void {
  if (volume.type === "ploop") throw ploopToolsMissing();
  if (algorithm > TRIM) throw algorithmUnsupported(algorithm);
}

function algorithmUnsupported(algorithm: number): LibvirtError {
  return LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, `unsupported algorithm ${algorithm}`);
}

async function remarkOnSurvivors(file: File, job: Job): Promise<void> {
  const traits = await file.storageTraits({ signal: job.signal }).catch(() => null);
  if (traits?.copyOnWrite === true) {
    job.remark("The file system writes to new blocks instead of the old ones: old blocks may survive.");
  } else if (traits === null || traits.sharesBlocks === null) {
    job.remark("Of this storage it cannot be told whether old blocks are overwritten or kept: they may survive.");
  } else if (traits.sharesBlocks) {
    job.remark("Blocks were shared with another file or a snapshot, which keeps them: old blocks may survive.");
  }
}

/**
 * Every block that the file has is overwritten where it is, and flushed. In a file with holes these are not filled; wiped
 * with zeros it is then given no blocks at all, which is how libvirt leaves it (by truncating, which overwrites nothing).
 */
async function overwrite(file: File, volume: VolumeDocument, pattern: "zeros" | "random", job: Job): Promise<void> {
  const path = pathOf(volume);
  const { signal } = job;
  const facts = await withoutReserve(file, volume, job);
  const isSparse = hasHoles(facts);
  const ranges = await rangesOf(file, volume, isSparse, job);
  const totalBytes = await lengthOf(ranges);
  const detail = `Failed to write ${totalBytes} bytes to storage volume with path '${path}'`;
  const what = pattern === "random" ? "random bytes" : pattern;
  job.way(isSparse ? `blocks of a sparse volume overwritten with ${what}` : `overwritten with ${what}`);
  const writeback = new EarlyWriteback(file);
  let doneBytes = 0n;
  job.progress(0n, totalBytes);
  for await (const { startBytes, endBytes } of ranges) {
    for (let atBytes = startBytes; atBytes < endBytes; ) {
      throwIfCalledOff(signal, detail);
      const step = stepOf(endBytes - atBytes, job);
      await job.pace(step);
      await failingAs(detail, file.overwrite(atBytes, step, pattern, { signal }));
      writeback.wrote(atBytes, atBytes + step);
      atBytes += step;
      doneBytes += step;
      // The blocks are looked up again, and there may be more of them now.
      job.progress(doneBytes, doneBytes > totalBytes ? doneBytes : totalBytes);
    }
  }
  await failingAs(`cannot sync data to volume with path '${path}'`, file.syncData({ signal }));
  if (!isSparse || pattern === "random") return;
  // The blocks are zeros on the disk by now; what the file system does with them is its own affair.
  const discarded = file.discard(0n, facts.sizeBytes, { signal });
  await discarded.catch((thrown: unknown) => {
    if (!isErrno(thrown, "EOPNOTSUPP")) return failingAs(detail, Promise.reject(thrown));
    return undefined;
  });
}

/**
 * Gives back blocks that lie behind the end of a file, where nothing can be written as long as the file keeps its size: space
 * that somebody, or the file system on its own, reserved for it to grow. What they held before is nothing of the volume's.
 */
async function withoutReserve(file: File, volume: VolumeDocument, job: Job): Promise<FileFacts> {
  const facts = await factsOf(file, volume, job);
  if (facts.kind !== "file") return facts;
  const behind = await failingAs(statDetail(volume), file.blocksFrom(facts.sizeBytes, { signal: job.signal }));
  if (behind === null || behind.length === 0) return facts;
  // It may be no more than the rest of its last block: then this does nothing.
  await cutTo(file, facts.sizeBytes, volume);
  const left = await factsOf(file, volume, job);
  if (left.allocatedBytes < facts.allocatedBytes) {
    job.remark("Blocks that were reserved behind the end of the file were given back, and not overwritten.");
  }
  return left;
}

async function cutTo(file: File, sizeBytes: bigint, volume: VolumeDocument): Promise<void> {
  await failingAs(`Failed to truncate file '${pathOf(volume)}'`, file.truncate(sizeBytes));
}

function factsOf(file: File, volume: VolumeDocument, job?: Job): Promise<FileFacts> {
  return failingAs(statDetail(volume), file.facts(job === undefined ? {} : { signal: job.signal }));
}

function statDetail(volume: VolumeDocument): string {
  return `Failed to stat storage volume with path '${pathOf(volume)}'`;
}

async function rangesOf(
  file: File,
  volume: VolumeDocument,
  isSparse: boolean,
  { signal }: Job,
): Promise<AsyncIterable<ByteRange>> {
  const detail = statDetail(volume);
  const lengthBytes = await failingAs(detail, file.sizeBytes({ signal }));
  if (isSparse) return blockRanges(file, { lengthBytes, signal, detail });
  // libvirt writes as much as the volume was last seen to have blocks for, which lengthens the file and a guest's disk. What
  // the last block holds behind the end is overwritten all the same: the kernel writes it whole, with zeros there.
  return wholeRange(lengthBytes);
}

/** Gives all blocks back, and leaves to the storage what becomes of them. */
async function trim(file: File, volume: VolumeDocument, job: Job): Promise<void> {
  const path = pathOf(volume);
  const { signal } = job;
  const sizeBytes = await failingAs(statDetail(volume), file.sizeBytes({ signal }));
  job.way("blocks given back (trim)");
  // There is nothing to give back, and the kernel takes no such range.
  if (sizeBytes === 0n) return;
  job.remark("Trimmed blocks are not overwritten: until the storage uses them anew, their old content may survive.");
  try {
    await file.discard(0n, sizeBytes, { signal });
  } catch (thrown) {
    if (!isErrno(thrown, "EOPNOTSUPP"))
      await failingAs(`Failed to trim volume with path '${path}'`, Promise.reject(thrown));
    const text = "'trim' algorithm not supported";
    throw LibvirtError.of(ErrorCode.ARGUMENT_UNSUPPORTED, ErrorDomain.STORAGE, text, { cause: thrown });
  }
  await failingAs(`cannot sync data to volume with path '${path}'`, file.syncData({ signal }));
}

function hasHoles({ kind, allocatedBytes, sizeBytes }: FileFacts): boolean {
  return kind === "file" && allocatedBytes / STAT_BLOCK_BYTES < sizeBytes / STAT_BLOCK_BYTES;
}
