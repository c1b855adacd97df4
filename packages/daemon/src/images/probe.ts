import { IMAGE_FORMATS, type ImageFormat } from "./formats.js";
import { ImageBytes, type ImageContent } from "./image-bytes.js";
import { type ImageFacts, RAW_FACTS } from "./image-facts.js";

export interface Probe {
  readonly facts: ImageFacts;
  /** 0: the facts are complete. Otherwise read so many bytes from the start and probe again. */
  readonly needsBytes: number;
}

/** Tells what is in a file from its first bytes. Whatever they are: anything unknown or damaged is raw. */
export function probe(content: ImageContent): Probe {
  const image = new ImageBytes(content);
  const format = IMAGE_FORMATS.find((candidate) => recognises(candidate, image));
  const facts = format === undefined ? RAW_FACTS : read(format, image);
  return { facts, needsBytes: image.needsBytes };
}

/** What a guest sees of an image in a file or device of this size. */
export function guestCapacityBytes(facts: ImageFacts, sizeBytes: bigint): bigint {
  // A header that says 0 says nothing, as far as libvirt is concerned.
  const outer = facts.capacityBytes === null || facts.capacityBytes === 0n ? sizeBytes : facts.capacityBytes;
  return outer > facts.payloadOffsetBytes ? outer - facts.payloadOffsetBytes : 0n;
}

function recognises({ magic, version, littleEndian }: ImageFormat, image: ImageBytes): boolean {
  if (!image.matches(magic.offset, magic.bytes)) return false;
  if (version === null) return true;
  if (!image.has(version.offset, version.lengthBytes)) return false;
  return version.accepted.includes(versionOf(version, littleEndian, image));
}

function read(format: ImageFormat, image: ImageBytes): ImageFacts {
  const version = format.version === null ? 0 : versionOf(format.version, format.littleEndian, image);
  // libvirt stops at a header that is cut off before its size.
  if (format.capacity !== null && !image.has(format.capacity.offset, 8)) return { ...RAW_FACTS, format: format.format };
  const capacityBytes = capacityOf(format, image);
  return { ...RAW_FACTS, format: format.format, capacityBytes, ...format.details?.(image, version) };
}

function versionOf(
  { offset, lengthBytes }: NonNullable<ImageFormat["version"]>,
  littleEndian: boolean,
  image: ImageBytes,
): number {
  return lengthBytes === 2 ? image.u16(offset, littleEndian) : image.u32(offset, littleEndian);
}

/** null also for a number of sectors that no file can have. */
function capacityOf({ capacity, littleEndian }: ImageFormat, image: ImageBytes): bigint | null {
  if (capacity === null) return null;
  const bytes = image.u64(capacity.offset, littleEndian) * capacity.unitBytes;
  return bytes < 1n << 64n ? bytes : null;
}
