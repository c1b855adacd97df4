import { decodeUtf8 } from "@cistern/protocol";
import { imageLimits } from "../limits.js";
import type { EncryptionMethod, Qcow2DataFile, Qcow2Facts, Qcow2Feature } from "./image-details.js";
import type { ImageBacking } from "./image-facts.js";
import { BoundedSource, Fields, type ImageSource } from "./image-source.js";
import { upToNul } from "./qcow.js";
import { bitmapsOf, NO_BITMAPS } from "./qcow2-bitmaps.js";
import { type ExtensionTexts, extensionsOf, NO_EXTENSIONS, type Qcow2Extensions } from "./qcow2-extensions.js";
import { TABLE_ENTRY_BYTES } from "./qcow2-geometry.js";
import { NO_SNAPSHOTS, snapshotsOf } from "./qcow2-snapshots.js";

/*
 * Big-endian:  0 magic 4, 4 version 4, 8 backing offset 8, 16 backing length 4, 20 cluster bits 4, 24 size 8,
 * 32 crypt method 4, 36 L1 entries 4, 40 L1 offset 8, 48 refcount table offset 8, 56 refcount table clusters 4,
 * 60 number of snapshots 4, 64 snapshot table offset 8; version 3 adds 72 incompatible features 8, 80 compatible features 8,
 * 88 autoclear features 8, 96 refcount order 4, 100 header length 4, 104 compression type 1.
 */
const MAGIC = 0x514649fb;
const VERSION_2_HEADER_BYTES = 72;
const VERSION_3_HEADER_BYTES = 104;
const SMALLEST_CLUSTER_BITS = 9;
const LARGEST_CLUSTER_BITS = 21;
const LARGEST_REFCOUNT_ORDER = 6;

const INCOMPATIBLE = {
  dirty: 1n << 0n,
  corrupt: 1n << 1n,
  dataFile: 1n << 2n,
  compression: 1n << 3n,
  extendedL2: 1n << 4n,
};
const KNOWN_INCOMPATIBLE = Object.values(INCOMPATIBLE).reduce((all, bit) => all | bit, 0n);
const LAZY_REFCOUNTS = 1n << 0n;
const AUTOCLEAR = { bitmaps: 1n << 0n, rawDataFile: 1n << 1n };

export interface Qcow2Request {
  /** Whether the snapshots and bitmaps are read, not only counted. */
  readonly lists: boolean;
}

/**
 * The whole header of a qcow2 image. null: it is none (or ends before its header does). Whatever else is wrong with it
 * stands in `problems`; rejects only with what the source rejects with. At most `imageLimits.imageBytes` are read.
 */
export async function readQcow2(source: ImageSource, request: Qcow2Request): Promise<Qcow2Facts | null> {
  const bounded = new BoundedSource(source);
  const head = new Fields(await bounded.upTo("The header", 0n, imageLimits.headerBytes));
  const version = head.u32(4);
  if (head.u32(0) !== MAGIC || (version !== 2 && version !== 3)) return null;
  if (head.length < (version === 2 ? VERSION_2_HEADER_BYTES : VERSION_3_HEADER_BYTES)) return null;
  const fixed = fixedFacts(head, version, bounded);
  const extensions =
    fixed.clusterSizeBytes === 0n ? NO_EXTENSIONS : extensionsOf(head, extensionArea(head, fixed), bounded);
  const { texts } = extensions;
  findTables(head, fixed.clusterSizeBytes, bounded);
  return {
    ...fixed.facts,
    clusterSizeBytes: fixed.clusterSizeBytes,
    backing: await backingOf(head, texts, bounded),
    dataFile: dataFileOf(fixed, texts),
    luksHeader: extensions.luksHeader,
    featureNames: extensions.featureNames,
    unknownFeatures: unknownFeatures(fixed.incompatible, extensions.featureNames),
    snapshots: await bounded.attempt(NO_SNAPSHOTS, () =>
      snapshotsOf(head.u32(60), head.u64(64), request.lists, bounded),
    ),
    bitmaps: await bitmapsIn(extensions, fixed.autoclear, request.lists, bounded),
    problems: bounded.problems,
  };
}

/** What stands at fixed places, with the numbers that the rest is found by. */
interface FixedFacts {
  readonly facts: Pick<
    Qcow2Facts,
    | "version"
    | "virtualSizeBytes"
    | "refcountBits"
    | "hasExtendedL2"
    | "compression"
    | "hasLazyRefcounts"
    | "isDirty"
    | "isCorrupt"
    | "encryption"
  >;
  readonly clusterSizeBytes: bigint;
  readonly headerBytes: number;
  readonly incompatible: bigint;
  readonly autoclear: bigint;
}

function fixedFacts(head: Fields, version: 2 | 3, bounded: BoundedSource): FixedFacts {
  const isNew = version === 3;
  const incompatible = isNew ? head.u64(72) : 0n;
  const headerBytes = isNew ? head.u32(100) : VERSION_2_HEADER_BYTES;
  if (isNew && (headerBytes < VERSION_3_HEADER_BYTES || headerBytes % 8 !== 0)) {
    bounded.problem(`The header says that it is ${headerBytes} bytes long.`);
  }
  return {
    facts: {
      version,
      virtualSizeBytes: head.u64(24),
      refcountBits: isNew ? refcountBits(head.u32(96), bounded) : 16,
      hasExtendedL2: (incompatible & INCOMPATIBLE.extendedL2) !== 0n,
      compression: compressionOf(head, incompatible, headerBytes),
      hasLazyRefcounts: isNew && (head.u64(80) & LAZY_REFCOUNTS) !== 0n,
      isDirty: (incompatible & INCOMPATIBLE.dirty) !== 0n,
      isCorrupt: (incompatible & INCOMPATIBLE.corrupt) !== 0n,
      encryption: encryptionOf(head.u32(32)),
    },
    clusterSizeBytes: clusterSize(head.u32(20), bounded),
    headerBytes,
    incompatible,
    autoclear: isNew ? head.u64(88) : 0n,
  };
}

function clusterSize(bits: number, bounded: BoundedSource): bigint {
  if (bits >= SMALLEST_CLUSTER_BITS && bits <= LARGEST_CLUSTER_BITS) return 1n << BigInt(bits);
  bounded.problem(`The header says that clusters have 2^${bits} bytes.`);
  return 0n;
}

function refcountBits(order: number, bounded: BoundedSource): number {
  if (order <= LARGEST_REFCOUNT_ORDER) return 1 << order;
  bounded.problem(`The header says that refcounts have 2^${order} bits.`);
  return 0;
}

/** Headers that end before it say zlib, as those without the feature bit do. */
function compressionOf(head: Fields, incompatible: bigint, headerBytes: number): Qcow2Facts["compression"] {
  if ((incompatible & INCOMPATIBLE.compression) === 0n || headerBytes <= VERSION_3_HEADER_BYTES) return "zlib";
  const type = head.u8(104);
  if (type === 0) return "zlib";
  return type === 1 ? "zstd" : "unknown";
}

function encryptionOf(method: number): EncryptionMethod | null {
  if (method === 0) return null;
  if (method === 1) return "aes";
  return method === 2 ? "luks" : "unknown";
}

/**
 * The tables that are not read, only sought. Of the last cluster a file may have only the beginning: the rest counts as
 * zeros. An L1 table says how much of its cluster it fills, and whoever makes one writes that much.
 */
function findTables(head: Fields, clusterSizeBytes: bigint, bounded: BoundedSource): void {
  if (clusterSizeBytes === 0n) return;
  const wholeBytes = ((bounded.sizeBytes + clusterSizeBytes - 1n) / clusterSizeBytes) * clusterSizeBytes;
  const l1Bytes = BigInt(head.u32(36) * TABLE_ENTRY_BYTES);
  const refcountBytes = BigInt(head.u32(56)) * clusterSizeBytes;
  for (const [what, offset, lengthBytes, endBytes] of [
    ["The L1 table", head.u64(40), l1Bytes, bounded.sizeBytes],
    ["The refcount table", head.u64(48), refcountBytes, wholeBytes],
  ] as const) {
    if (lengthBytes > 0n && offset + lengthBytes > endBytes)
      bounded.problem(`${what} at ${offset} lies beyond the end of the file.`);
  }
}

/** Extensions stand between the header and the backing file name, or the end of the first cluster. */
function extensionArea(head: Fields, { headerBytes, clusterSizeBytes }: FixedFacts): { from: number; to: number } {
  const backingOffset = head.u64(8);
  const isInside = backingOffset > 0n && backingOffset < clusterSizeBytes;
  return { from: headerBytes, to: Number(isInside ? backingOffset : clusterSizeBytes) };
}

async function backingOf(head: Fields, texts: ExtensionTexts, bounded: BoundedSource): Promise<ImageBacking | null> {
  const offset = head.u64(8);
  const length = head.u32(16);
  if (offset === 0n || length === 0) return null;
  return bounded.attempt(null, async () => {
    if (length > imageLimits.backingNameBytes) {
      bounded.problem(`The backing file name is ${length} bytes long.`);
      return null;
    }
    const isInHead = offset + BigInt(length) <= BigInt(head.length);
    const bytes = isInHead
      ? head.part(Number(offset), length)
      : await bounded.exactly("The backing file name", offset, length);
    return { string: decodeUtf8(upToNul(bytes)), format: texts.backingFormat };
  });
}

function dataFileOf({ incompatible, autoclear }: FixedFacts, texts: ExtensionTexts): Qcow2DataFile | null {
  if ((incompatible & INCOMPATIBLE.dataFile) === 0n) return null;
  return { name: texts.dataFile, isRaw: (autoclear & AUTOCLEAR.rawDataFile) !== 0n };
}

function unknownFeatures(incompatible: bigint, names: readonly Qcow2Feature[]): Qcow2Feature[] {
  const features: Qcow2Feature[] = [];
  for (let bit = 0; bit < 64; bit++) {
    if ((incompatible & ~KNOWN_INCOMPATIBLE & (1n << BigInt(bit))) === 0n) continue;
    const named = names.find((feature) => feature.kind === "incompatible" && feature.bit === bit);
    features.push(named ?? { kind: "incompatible", bit, name: null });
  }
  return features;
}

async function bitmapsIn(
  { bitmaps }: Qcow2Extensions,
  autoclear: bigint,
  isListed: boolean,
  bounded: BoundedSource,
): Promise<Qcow2Facts["bitmaps"]> {
  if (bitmaps === null) return NO_BITMAPS;
  const isCurrent = (autoclear & AUTOCLEAR.bitmaps) !== 0n;
  if (!isCurrent) bounded.problem("The image was written by a program that does not know of its bitmaps.");
  const found = await bounded.attempt(NO_BITMAPS, () => bitmapsOf(bitmaps, isListed, bounded));
  return isCurrent ? found : { ...found, listed: found.listed.map((bitmap) => ({ ...bitmap, isInUse: true })) };
}
