import type { VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Directory, File } from "../../host/host.js";
import type { VolumeContext } from "../driver.js";
import { openSource, openSourceFile } from "./clone-source.js";
import { setNoCopyOnWrite } from "./copy-on-write.js";
import { failingAs } from "./failure.js";
import { PREALLOCATE_METADATA, REFLINK } from "./fill-flags.js";
import { DEFAULT_VOLUME_MODE, giveTo, withNewFile } from "./new-file.js";
import { pathOf } from "./target-directory.js";

/** Makes a file of the volume's capacity, reserves its allocation, and copies `source` into it if there is one. */
export async function createRaw(
  directory: Directory,
  volume: VolumeDocument,
  source: VolumeDocument | null,
  flags: number,
  context: VolumeContext,
): Promise<void> {
  if ((flags & PREALLOCATE_METADATA) !== 0) {
    const text = "metadata preallocation is not supported for raw volumes";
    throw LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, text);
  }
  if (volume.backingStore !== null) {
    const text = "backing storage not supported for raw volumes";
    throw LibvirtError.of(ErrorCode.NO_SUPPORT, ErrorDomain.STORAGE, text);
  }
  const { permissions, noCopyOnWrite } = volume.target;
  const mode = permissions.mode ?? DEFAULT_VOLUME_MODE;
  await withNewFile(directory, volume.name, mode, async (file) => {
    await giveTo(file, permissions);
    if (noCopyOnWrite) await setNoCopyOnWrite(file, true);
    await reserve(file, volume, source, context.job.signal);
    if (source !== null) await copy(source, file, (flags & REFLINK) !== 0, context);
    await failingAs(`cannot sync data to file '${pathOf(volume)}'`, file.sync({ signal: context.job.signal }));
  });
}

async function reserve(
  file: File,
  volume: VolumeDocument,
  source: VolumeDocument | null,
  signal: AbortSignal,
): Promise<void> {
  const path = pathOf(volume);
  const allocationBytes = volume.hasAllocation ? volume.allocationBytes : volume.capacityBytes;
  await failingAs(`cannot extend file '${path}'`, file.truncate(volume.capacityBytes, { signal }));
  // A clone with less allocation than its source has capacity is to be sparse: the copy decides what it takes.
  const copyDecides = source !== null && allocationBytes < source.capacityBytes;
  if (allocationBytes === 0n || copyDecides) return;
  const detail = `cannot allocate ${allocationBytes} bytes in file '${path}'`;
  await failingAs(detail, file.allocate(0n, allocationBytes, { signal }));
}

/** Zero blocks are left out: the new file has zeros there already, reserved where that was asked for. */
async function copy(source: VolumeDocument, file: File, sharesBlocks: boolean, context: VolumeContext): Promise<void> {
  const { job, host } = context;
  const from = await openSource(source, host);
  await using _directory = from.directory;
  await using input = await openSourceFile(source, from);
  const path = pathOf(source);
  if (sharesBlocks) {
    await failingAs(`failed to clone files from '${path}'`, file.cloneFrom(input, { signal: job.signal }));
    return;
  }
  const progress = (doneBytes: bigint, totalBytes: bigint): void => job.progress(doneBytes, totalBytes);
  const options = { sparse: true, signal: job.signal, progress };
  await failingAs(`failed reading from file '${path}'`, file.copyFrom(input, source.capacityBytes, options));
}
