import { posix } from "node:path";
import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { type ByteRange, type File, hostLimits } from "../../../host/index.js";
import type { CloneSource, VolumeContext } from "../../driver.js";
import { openSource, openSourceFile } from "../clone-source.js";
import { copyRanges, sourceRanges } from "../copy-content.js";
import { writeImageInto } from "../create-image.js";
import { failingAs, throwIfCalledOff } from "../failure.js";
import { lengthOf } from "../file-ranges.js";
import { isImage } from "../fill-file.js";
import { PREALLOCATE_METADATA, REFLINK } from "../fill-flags.js";
import { pathOf } from "../target-directory.js";
import { copyWithoutZeros } from "./copy-without-zeros.js";
import { openDevice } from "./device.js";

/**
 * Writes the first content of a volume that is a device, which lies at `devicePath` (its own path, or a temporary one) and
 * is at least as long as its capacity. Without a source and a key nothing is written: whatever the storage shows is there.
 * A copy shows what its source shows: where that has holes, zeros. With `showsZeros` the device does so already wherever nothing
 * was written, and has room for what is written only: of the source everything but zeros is.
 */
export async function fillDevice(
  pool: PoolDocument,
  volume: VolumeDocument,
  devicePath: string,
  source: CloneSource | null,
  flags: number,
  context: VolumeContext,
  { showsZeros = false }: { readonly showsZeros?: boolean } = {},
): Promise<void> {
  if ((flags & PREALLOCATE_METADATA) !== 0 && source !== null) {
    const text = "metadata preallocation is not supported for block volumes";
    throw LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, text);
  }
  if ((flags & REFLINK) !== 0 && source !== null) {
    const text = `failed to clone files from '${pathOf(source.document)}': devices share no blocks`;
    throw LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, text);
  }
  const hasKey = volume.target.encryption !== null;
  if (source === null && !hasKey) return;
  const { signal } = context.job;
  await using device = await openDevice(context.host, devicePath, "read-write", {
    signal,
    detail: `cannot open volume '${pathOf(volume)}'`,
  });
  if (hasKey || (source !== null && isContainer(source.document))) {
    const output = { file: device, name: posix.basename(devicePath) };
    await writeImageInto(pool, { ...volume, type: "block" }, source, output, context);
  } else if (source !== null) {
    await copy(source, device, volume, context, showsZeros);
  }
  await failingAs(`cannot sync data to volume '${pathOf(volume)}'`, device.syncData({ signal }));
}

/** Of a device, a key makes it one too. */
function isContainer(source: VolumeDocument): boolean {
  return isImage(source) || source.target.encryption !== null;
}

/** `showsZeros`: what is not written reads as zeros already. */
async function copy(
  source: CloneSource,
  device: File,
  volume: VolumeDocument,
  context: VolumeContext,
  showsZeros: boolean,
): Promise<void> {
  const from = await openSource(source, context);
  await using _directory = from.directory;
  await using input = await openSourceFile(from);
  const { capacityBytes } = source.document;
  const names = { sourcePath: from.path, targetPath: pathOf(volume), context };
  if (showsZeros) {
    await copyWithoutZeros(input, device, sourceRanges(input, { ...names, lengthBytes: capacityBytes }), names);
    return;
  }
  const { signal } = context.job;
  const sizeBytes = await failingAs(`cannot get the size of volume '${pathOf(volume)}'`, device.sizeBytes({ signal }));
  const lengthBytes = capacityBytes < sizeBytes ? capacityBytes : sizeBytes;
  const ranges = sourceRanges(input, { ...names, lengthBytes });
  const dataBytes = await lengthOf(ranges);
  const zero = (hole: ByteRange): Promise<void> => zeroHole(device, hole, names.targetPath, context);
  await copyRanges(input, device, zeroingBetween(ranges, lengthBytes, zero), dataBytes, names, () => {});
}

/**
 * Has what lies between the ranges zeroed as they are gone through. The copy and the zeros come from one walk: if somebody
 * else changes the source, two might not agree, and what neither writes would still show what the storage held before.
 */
async function* zeroingBetween(
  ranges: AsyncIterable<ByteRange>,
  lengthBytes: bigint,
  zero: (hole: ByteRange) => Promise<void>,
): AsyncGenerator<ByteRange, void> {
  let atBytes = 0n;
  for await (const range of ranges) {
    await zero({ startBytes: atBytes, endBytes: range.startBytes });
    yield range;
    atBytes = range.endBytes;
  }
  await zero({ startBytes: atBytes, endBytes: lengthBytes });
}

/** What the storage held before must not show through. It is asked to do it itself; where it cannot, zeros are written. */
async function zeroHole(
  device: File,
  { startBytes, endBytes }: ByteRange,
  path: string,
  { job: { signal } }: VolumeContext,
): Promise<void> {
  const detail = `cannot write zeros to volume '${path}'`;
  const step = BigInt(hostLimits.bulkStepBytes);
  for (let atBytes = startBytes; atBytes < endBytes; atBytes += step) {
    throwIfCalledOff(signal, detail);
    const length = endBytes - atBytes < step ? endBytes - atBytes : step;
    await failingAs(detail, device.zero(atBytes, length, { signal }));
  }
}
