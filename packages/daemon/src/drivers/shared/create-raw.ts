import type { VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Directory, File, FileFacts } from "../../host/host.js";
import type { CloneSource, VolumeContext } from "../driver.js";
import { allocateSpace } from "./allocate-space.js";
import { openSource, openSourceFile } from "./clone-source.js";
import { copyContent } from "./copy-content.js";
import { failingAs } from "./failure.js";
import { PREALLOCATE_METADATA, REFLINK } from "./fill-flags.js";
import { withNewFile } from "./new-file.js";
import { withRoom } from "./room.js";
import { pathOf } from "./target-directory.js";

/** Makes a file of the volume's capacity, reserves its allocation, and copies `source` into it if there is one. */
export async function createRaw(
  directory: Directory,
  volume: VolumeDocument,
  source: CloneSource | null,
  flags: number,
  context: VolumeContext,
): Promise<FileFacts> {
  if ((flags & PREALLOCATE_METADATA) !== 0) {
    const text = "metadata preallocation is not supported for raw volumes";
    throw LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, text);
  }
  if (volume.backingStore !== null) {
    const text = "backing storage not supported for raw volumes";
    throw LibvirtError.of(ErrorCode.NO_SUPPORT, ErrorDomain.STORAGE, text);
  }
  const allocationBytes = allocationOf(volume);
  const isEmpty = source === null && allocationBytes === 0n;
  return withNewFile(
    directory,
    volume,
    context,
    { sizeBytes: volume.capacityBytes, isEmpty, noCopyOnWrite: volume.target.noCopyOnWrite },
    async (file) => {
      if (source === null) await reserve(directory, file, volume, context);
      else await copy(directory, source, file, volume, flags, context);
    },
  );
}

function allocationOf(volume: VolumeDocument): bigint {
  return volume.hasAllocation ? volume.allocationBytes : volume.capacityBytes;
}

/** The file system promises the space. */
async function reserve(
  directory: Directory,
  file: File,
  volume: VolumeDocument,
  context: VolumeContext,
): Promise<void> {
  const bytes = allocationOf(volume);
  if (bytes === 0n) return;
  const { job } = context;
  const detail = `cannot allocate ${bytes} bytes in file '${pathOf(volume)}'`;
  await withRoom({ directory, bytes, detail }, context, (taken) => {
    const allocated = (doneBytes: bigint): void => {
      // What the file system has given away already is not counted twice against others.
      taken(doneBytes);
      job.progress(doneBytes, bytes, { isMoved: false });
    };
    return failingAs(detail, allocateSpace(file, { offsetBytes: 0n, lengthBytes: bytes, isNew: true }, job, allocated));
  });
}

async function copy(
  directory: Directory,
  source: CloneSource,
  file: File,
  volume: VolumeDocument,
  flags: number,
  context: VolumeContext,
): Promise<void> {
  const from = await openSource(source, context);
  await using _directory = from.directory;
  await using input = await openSourceFile(from);
  const { capacityBytes } = source.document;
  const allocationBytes = allocationOf(volume);
  // With less allocation than its source has capacity it is to be sparse: what it takes is what is copied.
  const isSparse = allocationBytes < capacityBytes;
  // What the file system needs to keep account of its source's blocks counts as allocation, and is nothing of the disk: to
  // reserve that too, as libvirt does, would make the copy longer.
  const reservedBytes = allocationBytes < volume.capacityBytes ? allocationBytes : volume.capacityBytes;
  await copyContent(input, file, {
    directory,
    lengthBytes: capacityBytes,
    capacityBytes: volume.capacityBytes,
    reservedBytes: isSparse ? 0n : reservedBytes,
    sharing: (flags & REFLINK) !== 0 ? "required" : context.sharesBlocks === true ? "preferred" : "no",
    sourcePath: from.path,
    targetPath: pathOf(volume),
    context,
  });
}
