import type { ByteRange, Directory, File } from "../../host/host.js";
import { EarlyWriteback } from "../../host/index.js";
import type { VolumeContext } from "../driver.js";
import { allocateSpace } from "./allocate-space.js";
import { failingAs, isErrno, throwIfCalledOff } from "./failure.js";
import { dataRanges, lengthOf } from "./file-ranges.js";
import { withRoom } from "./room.js";
import { stepOf } from "./step.js";

export interface CopyPlan {
  /** Where the target grows: its file system's space counts. */
  readonly directory: Directory;
  /** Of the source's content, from its start. */
  readonly lengthBytes: bigint;
  /** How long the target is in the end. */
  readonly capacityBytes: bigint;
  /** Space the target is to have whatever is copied; 0: only what the data takes. */
  readonly reservedBytes: bigint;
  readonly sharing: "required" | "preferred" | "no";
  /** For messages. */
  readonly sourcePath: string;
  readonly targetPath: string;
  readonly context: VolumeContext;
}

/**
 * Copies a file's (or device's) content into an empty file by the cheapest honest way, and tells the job which it was:
 *
 *     reflink                   the file system shares the blocks until one of the two is written
 *     copy in the kernel        only where there is data; holes stay holes
 *     copy by read and write    the same where the kernel cannot, or might share blocks that are not to be shared
 */
export async function copyContent(source: File, target: File, plan: CopyPlan): Promise<void> {
  if (plan.sharing !== "no" && (await share(source, target, plan))) return;
  const { context, directory, reservedBytes, sourcePath, targetPath } = plan;
  const ranges = sourceRanges(source, plan);
  const dataBytes = await lengthOf(ranges);
  const bytes = reservedBytes > dataBytes ? reservedBytes : dataBytes;
  const detail = `failed to copy '${sourcePath}' to '${targetPath}'`;
  await withRoom({ directory, bytes, detail }, context, async (taken) => {
    if (reservedBytes > 0n) {
      const space = { offsetBytes: 0n, lengthBytes: reservedBytes, isNew: true };
      const allocated = allocateSpace(target, space, context.job, taken);
      await failingAs(`cannot allocate ${reservedBytes} bytes in file '${targetPath}'`, allocated);
      taken(bytes);
    }
    const names = { context, sourcePath, targetPath, mayShare: plan.sharing !== "no" };
    await copyRanges(source, target, ranges, dataBytes, names, reservedBytes > 0n ? () => {} : taken);
  });
}

/** False where the file system cannot, and nobody insisted. */
async function share(source: File, target: File, plan: CopyPlan): Promise<boolean> {
  const { sharing, sourcePath } = plan;
  const { job } = plan.context;
  const detail = `failed to clone files from '${sourcePath}'`;
  try {
    await target.cloneFrom(source, { signal: job.signal });
  } catch (thrown) {
    if (
      sharing === "preferred" &&
      isErrno(thrown, "EOPNOTSUPP", "EISDIR", "EXDEV", "EINVAL", "ENOTTY", "ENOSYS", "EPERM", "ETXTBSY")
    ) {
      return false;
    }
    await failingAs(detail, Promise.reject(thrown));
  }
  // The clone is as long as its source is, and loses nothing of that, should somebody have lengthened it just now.
  if ((await target.sizeBytes({ signal: job.signal })) < plan.capacityBytes) {
    const lengthened = target.truncate(plan.capacityBytes, { signal: job.signal });
    await failingAs(`cannot extend file '${plan.targetPath}'`, lengthened);
  }
  job.way("reflink");
  job.progress(plan.lengthBytes, plan.lengthBytes, { isMoved: false });
  if (plan.reservedBytes > 0n) {
    job.remark("Blocks are shared with the source: space for them is only taken when either of the two is written.");
  }
  return true;
}

/** Where the source has data; where that cannot be told, everywhere. */
export function sourceRanges(
  source: File,
  { lengthBytes, sourcePath, context }: Pick<CopyPlan, "lengthBytes" | "sourcePath" | "context">,
): AsyncIterable<ByteRange> {
  const detail = `failed reading from file '${sourcePath}'`;
  return dataRanges(source, { lengthBytes, signal: context.job.signal, detail });
}

export interface RangesPlan extends Pick<CopyPlan, "context" | "sourcePath" | "targetPath"> {
  /** See `CopyOptions`; default true. */
  readonly mayShare?: boolean;
}

export async function copyRanges(
  source: File,
  target: File,
  ranges: AsyncIterable<ByteRange>,
  totalBytes: bigint,
  { context: { job }, sourcePath, targetPath, mayShare = true }: RangesPlan,
  taken: (bytes: bigint) => void,
): Promise<void> {
  const { signal } = job;
  const detail = `failed to copy '${sourcePath}' to '${targetPath}'`;
  const writeback = new EarlyWriteback(target);
  let doneBytes = 0n;
  let way: "kernel" | "buffered" = "kernel";
  job.progress(0n, totalBytes);
  for await (const { startBytes, endBytes } of ranges) {
    for (let atBytes = startBytes; atBytes < endBytes; ) {
      throwIfCalledOff(signal, detail);
      const step = stepOf(endBytes - atBytes, job);
      await job.pace(step);
      const copying = target.copyRange(source, atBytes, atBytes, step, { signal, mayShare });
      const copied = await failingAs(detail, copying);
      // The source was shortened meanwhile.
      if (copied.copiedBytes === 0n) break;
      if (copied.way === "buffered") way = "buffered";
      writeback.wrote(atBytes, atBytes + copied.copiedBytes);
      atBytes += copied.copiedBytes;
      doneBytes += copied.copiedBytes;
      taken(doneBytes);
      // The source is looked through again, and may have more data now.
      job.progress(doneBytes, doneBytes > totalBytes ? doneBytes : totalBytes);
    }
  }
  const sparse = "only where there is data";
  job.way(way === "kernel" ? `copy in the kernel, ${sparse}` : `copy by read and write, ${sparse}`);
}
