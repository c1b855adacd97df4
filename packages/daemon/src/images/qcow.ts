import type { VolumeFeature } from "@cistern/documents";
import { decodeUtf8 } from "@cistern/protocol";
import type { ImageBytes } from "./image-bytes.js";
import { type ImageBacking, type ImageFacts, isNamedFormat } from "./image-facts.js";

/*
 * Big-endian headers. qcow (version 1):  0 magic 4, 4 version 4, 8 backing offset 8, 16 backing length 4,
 * 24 size 8, 36 crypt method 4.
 * qcow2:  0 magic 4, 4 version 4, 8 backing offset 8, 16 backing length 4, 20 cluster bits 4, 24 size 8,
 * 32 crypt method 4; version 3 adds 72 incompatible features 8, 80 compatible features 8, 100 header length 4.
 * Extensions follow the header and end at the backing file name: type 4, length 4, content padded to 8.
 */
const BACKING_OFFSET = 8;
const BACKING_LENGTH = 16;
const CLUSTER_BITS = 20;
const QCOW1_CRYPT_METHOD = 36;
const QCOW2_CRYPT_METHOD = 32;
const INCOMPATIBLE_FEATURES = 72;
const COMPATIBLE_FEATURES = 80;
const HEADER_LENGTH = 100;
const VERSION_2_HEADER_BYTES = 72;
const EXTENSION_END = 0;
const EXTENSION_BACKING_FORMAT = 0xe2792aca;
const EXTENSION_DATA_FILE = 0x44415441;
const EXTENSION_HEADER_BYTES = 8;

/** Of the incompatible features: the guest's data is in another file. */
const EXTERNAL_DATA_FILE = 1n << 2n;

/** Feature bits that a volume document names. */
/** Longer names are no names to qemu either. */
const LONGEST_BACKING_BYTES = 1023;

const FEATURE_BITS: readonly { feature: VolumeFeature; offset: number; bit: bigint }[] = [
  { feature: "lazy_refcounts", offset: COMPATIBLE_FEATURES, bit: 1n << 0n },
  { feature: "extended_l2", offset: INCOMPATIBLE_FEATURES, bit: 1n << 4n },
];

export function readQcow(image: ImageBytes): Partial<ImageFacts> {
  const encryption = image.u32(QCOW1_CRYPT_METHOD) === 1 ? "qcow" : null;
  const backing = readBacking(image);
  return { encryption, backing: backing === "invalid" ? null : backing };
}

export function readQcow2(image: ImageBytes, version: number): Partial<ImageFacts> {
  const common: Partial<ImageFacts> = {
    encryption: encryptionOf(image.u32(QCOW2_CRYPT_METHOD)),
    clusterSizeBytes: clusterSize(image.u32(CLUSTER_BITS)),
    dataFile: dataFileOf(image, version),
  };
  const backing = readBacking(image);
  // libvirt reads no further in an image whose backing file name lies outside of what it looks at.
  if (backing === "invalid") return common;
  const format = backing === null ? null : extension(image, version, EXTENSION_BACKING_FORMAT);
  const facts: Partial<ImageFacts> = { ...common, backing: backing === null ? null : { ...backing, format } };
  // Nor in one that says of its backing file what libvirt has no name for (`host_device`, `nbd`).
  const isStrange = format !== null && !isNamedFormat(format);
  if (version < 3 || isStrange || !image.has(0, HEADER_LENGTH)) return facts;
  const features = FEATURE_BITS.filter(({ offset, bit }) => (image.u64(offset) & bit) !== 0n);
  return { ...facts, compat: "1.1", features: features.map(({ feature }) => feature) };
}

function readBacking(image: ImageBytes): ImageBacking | "invalid" | null {
  const offset = image.u64(BACKING_OFFSET);
  const length = image.u32(BACKING_LENGTH);
  if (offset === 0n || length === 0) return null;
  if (length > LONGEST_BACKING_BYTES) return "invalid";
  if (offset > BigInt(image.length) || !image.has(Number(offset), length)) return "invalid";
  return { string: decodeUtf8(upToNul(image.bytes(Number(offset), length))), format: null };
}

function dataFileOf(image: ImageBytes, version: number): ImageFacts["dataFile"] {
  if (version < 3 || !image.has(0, HEADER_LENGTH)) return null;
  if ((image.u64(INCOMPATIBLE_FEATURES) & EXTERNAL_DATA_FILE) === 0n) return null;
  return { name: extension(image, version, EXTENSION_DATA_FILE) };
}

/** The text of the header extension of this type; null when there is none. */
function extension(image: ImageBytes, version: number, wanted: number): string | null {
  let at = version < 3 ? VERSION_2_HEADER_BYTES : image.u32(HEADER_LENGTH);
  const backing = Number(image.u64(BACKING_OFFSET));
  const end = backing === 0 ? Number(clusterSize(image.u32(CLUSTER_BITS))) : backing;
  while (at + EXTENSION_HEADER_BYTES <= end && image.has(at, EXTENSION_HEADER_BYTES)) {
    const type = image.u32(at);
    const length = image.u32(at + 4);
    at += EXTENSION_HEADER_BYTES;
    // In clusters of 2^63 bytes, which a guest may claim, every length would fit.
    if (type === EXTENSION_END || at + length > end || !image.has(at, length)) return null;
    if (type === wanted) return decodeUtf8(upToNul(image.bytes(at, length)));
    at += Math.ceil(length / 8) * 8;
  }
  return null;
}

function encryptionOf(cryptMethod: number): ImageFacts["encryption"] {
  if (cryptMethod === 1) return "qcow";
  return cryptMethod === 2 ? "luks" : null;
}

/** qemu knows clusters of 512 bytes to 2 MiB; what a damaged header says is shown as far as it is a size. */
function clusterSize(bits: number): bigint {
  return bits > 0 && bits < 64 ? 1n << BigInt(bits) : 0n;
}

export function upToNul(bytes: Uint8Array): Uint8Array {
  const nul = bytes.indexOf(0);
  return nul === -1 ? bytes : bytes.subarray(0, nul);
}
