import type { VolumeDocument } from "@cistern/documents";
import type { File } from "../../host/host.js";
import type { Qcow2Options } from "../../images/qcow2-geometry.js";
import { type EmptyQcow2, emptyQcow2, type Segment } from "../../images/qcow2-writer.js";
import type { Job } from "../../jobs/job.js";
import { imageFormat } from "../../tools/qemu-img-checks.js";
import { DEFAULT_COMPAT } from "../../tools/qemu-img-options.js";
import { allocateSpace } from "./allocate-space.js";
import { failingAs } from "./failure.js";
import type { ImagePlan } from "./image-plan.js";

/** qemu-img's, where the document says none. */
const DEFAULT_CLUSTER_BYTES = 65_536n;
/** libvirt asks qemu-img for whole kibibytes. */
const CAPACITY_UNIT_BYTES = 1_024n;
const VERSIONS: ReadonlyMap<string, Qcow2Options["version"]> = new Map([
  [DEFAULT_COMPAT, 2],
  ["1.1", 3],
]);
/** Backing files of which we know what qemu-img would say to them. */
const BACKING_FORMATS: readonly string[] = ["raw", "qcow2"];
/** Segments that touch are written at once up to this length: an image with qemu's clusters in one write. */
const WRITE_BYTES = 1_048_576;

/**
 * The image that a plan without a source comes to, as qemu-img would have made it. null: it is something else than qcow2, or
 * something that qemu-img has to make or to refuse.
 */
export function emptyQcow2Of({ volume, backing, preallocation }: ImagePlan): EmptyQcow2 | null {
  const { encryption, compat, clusterSizeBytes, features } = volume.target;
  const version = VERSIONS.get(compat ?? DEFAULT_COMPAT);
  if (imageFormat(volume) !== "qcow2" || encryption !== null || version === undefined) return null;
  if (backing !== null && !isUnderstood(backing)) return null;
  return emptyQcow2({
    version,
    capacityBytes: capacityOf(volume, backing),
    clusterBytes: Number(clusterSizeBytes === 0n ? DEFAULT_CLUSTER_BYTES : clusterSizeBytes),
    lazyRefcounts: features?.includes("lazy_refcounts") ?? false,
    extendedL2: features?.includes("extended_l2") ?? false,
    backing,
    preallocation: preallocation ?? "off",
  });
}

/** What an image takes on the disk: its tables, and what is reserved for its data. */
export function takenBytesOf({ reserved, writtenBytes }: EmptyQcow2): bigint {
  return reserved.reduce((sum, { lengthBytes }) => sum + lengthBytes, writtenBytes);
}

/**
 * Writes the image into a new, empty file, and says how much of it is there by now. 38 with what failed; 78 when the job is
 * called off: the file is then in no order, and its maker's to remove.
 */
export async function writeEmptyQcow2(
  image: EmptyQcow2,
  file: File,
  job: Job,
  taken: (bytes: bigint) => void = () => {},
): Promise<void> {
  const { signal } = job;
  const totalBytes = takenBytesOf(image);
  let doneBytes = 0n;
  const done = (allBytes: bigint): void => {
    doneBytes = allBytes;
    taken(doneBytes);
    job.progress(doneBytes, totalBytes, { isMoved: false });
  };
  for (const { offsetBytes, lengthBytes } of image.reserved) {
    const before = doneBytes;
    const allocation = allocateSpace(file, { offsetBytes, lengthBytes, isNew: true }, job, (allocatedBytes) =>
      done(before + allocatedBytes),
    );
    await failingAs(`cannot allocate ${lengthBytes} bytes in file '${file.path}'`, allocation);
  }
  let end = 0n;
  for (const { offsetBytes, bytes } of writesOf(image.segments)) {
    await failingAs(`cannot write to file '${file.path}'`, file.write(offsetBytes, bytes, { signal }));
    end = offsetBytes + BigInt(bytes.length);
    done(doneBytes + BigInt(bytes.length));
  }
  if (end < image.sizeBytes) {
    await failingAs(`cannot extend file '${file.path}'`, file.truncate(image.sizeBytes, { signal }));
  }
}

/** A name with a colon may be a protocol to qemu; of an absolute path, qemu-img wants to open the file. */
function isUnderstood({ path, format, isRelative, capacityBytes }: NonNullable<ImagePlan["backing"]>): boolean {
  if (!BACKING_FORMATS.includes(format)) return false;
  return isRelative ? !path.includes(":") : capacityBytes !== null;
}

/** libvirt leaves the size to qemu-img where only the backing file has one. A relative one it reads itself. */
function capacityOf({ capacityBytes }: VolumeDocument, backing: ImagePlan["backing"]): bigint {
  const isOfBacking = capacityBytes === 0n && backing !== null;
  const wanted = isOfBacking ? (backing.capacityBytes ?? 0n) : capacityBytes;
  if (isOfBacking && !backing.isRelative) return wanted;
  return ((wanted + CAPACITY_UNIT_BYTES - 1n) / CAPACITY_UNIT_BYTES) * CAPACITY_UNIT_BYTES;
}

interface Write {
  readonly offsetBytes: bigint;
  readonly bytes: Uint8Array;
}

/** Segments that touch in one write. */
function* writesOf(segments: Iterable<Segment>): Generator<Write> {
  let parts: Segment[] = [];
  let length = 0;
  for (const segment of segments) {
    const start = parts[0]?.offsetBytes ?? segment.offsetBytes;
    const touches = segment.offsetBytes === start + BigInt(length) && length + segment.lengthBytes <= WRITE_BYTES;
    if (parts.length > 0 && !touches) {
      yield whole(parts, length);
      [parts, length] = [[], 0];
    }
    parts.push(segment);
    length += segment.lengthBytes;
  }
  if (parts.length > 0) yield whole(parts, length);
}

function whole(parts: readonly Segment[], length: number): Write {
  const offsetBytes = parts[0]?.offsetBytes ?? 0n;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part.bytes, at);
    at += part.lengthBytes;
  }
  return { offsetBytes, bytes };
}
