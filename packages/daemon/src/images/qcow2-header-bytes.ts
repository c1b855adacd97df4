import { encodeUtf8 } from "@cistern/protocol";
import type { Qcow2Options } from "./qcow2-geometry.js";
import type { Layout } from "./qcow2-layout.js";

/*
 * Big-endian:  0 magic 4, 4 version 4, 8 backing offset 8, 16 backing length 4, 20 cluster bits 4, 24 size 8,
 * 32 crypt method 4, 36 L1 entries 4, 40 L1 offset 8, 48 refcount table offset 8, 56 refcount table clusters 4,
 * 60 snapshots 4, 64 snapshots offset 8.
 * Version 3:  72 incompatible features 8, 80 compatible features 8, 88 autoclear features 8, 96 refcount order 4,
 * 100 header length 4, 104 compression 1, padding 7.
 * Extensions follow: type 4, length 4, content padded to 8. Then the backing file's name.
 */
const MAGIC = 0x514649fb;
const HEADER_BYTES = { 2: 72, 3: 112 } as const;
/** log2 of a refcount's bits. */
const REFCOUNT_ORDER = 4;
const EXTENDED_L2_BIT = 1n << 4n;
const LAZY_REFCOUNTS_BIT = 1n << 0n;

const BACKING_FORMAT_EXTENSION = 0xe2792aca;
const FEATURE_NAMES_EXTENSION = 0x6803f857;
const END_EXTENSION = 0;
/** Longer names are no names to qemu. */
const LONGEST_BACKING_BYTES = 1023;

/** What bits mean, for a program that does not know them. Each:  type 1, bit 1, name 46. */
const FEATURE_NAMES: readonly { readonly type: number; readonly bit: number; readonly name: string }[] = [
  { type: 0, bit: 0, name: "dirty bit" },
  { type: 0, bit: 1, name: "corrupt bit" },
  { type: 0, bit: 2, name: "external data file" },
  { type: 0, bit: 3, name: "compression type" },
  { type: 0, bit: 4, name: "extended L2 entries" },
  { type: 1, bit: 0, name: "lazy refcounts" },
  { type: 2, bit: 0, name: "bitmaps" },
  { type: 2, bit: 1, name: "raw external data" },
];
const FEATURE_NAME_BYTES = 48;
/** In smaller clusters qemu leaves the names out, so that a backing file's name always has room. */
const SMALLEST_CLUSTER_WITH_NAMES = 8_192;

/** The image's first cluster up to its last byte that is not zero; null: it does not fit there. */
export function headerBytes(options: Qcow2Options, layout: Layout): Uint8Array | null {
  const { version, backing } = options;
  const { clusterBytes, capacityBytes, l1Entries } = layout.geometry;
  const name = backing === null ? new Uint8Array() : encodeUtf8(backing.path);
  if (name.length > LONGEST_BACKING_BYTES) return null;
  const extensions = [
    ...(backing === null ? [] : [extension(BACKING_FORMAT_EXTENSION, encodeUtf8(backing.format))]),
    ...(version === 2 || clusterBytes < SMALLEST_CLUSTER_WITH_NAMES
      ? []
      : [extension(FEATURE_NAMES_EXTENSION, featureNames())]),
    extension(END_EXTENSION, new Uint8Array()),
  ];
  const parts = [new Uint8Array(HEADER_BYTES[version]), ...extensions, name];
  const bytes = Buffer.concat(parts);
  if (bytes.length > clusterBytes) return null;
  bytes.writeUInt32BE(MAGIC, 0);
  bytes.writeUInt32BE(version, 4);
  if (backing !== null) {
    bytes.writeBigUInt64BE(BigInt(bytes.length - name.length), 8);
    bytes.writeUInt32BE(name.length, 16);
  }
  bytes.writeUInt32BE(Math.log2(clusterBytes), 20);
  bytes.writeBigUInt64BE(capacityBytes, 24);
  bytes.writeUInt32BE(l1Entries, 36);
  bytes.writeBigUInt64BE(BigInt(layout.l1Cluster * clusterBytes), 40);
  bytes.writeBigUInt64BE(BigInt(layout.refcountTable.cluster * clusterBytes), 48);
  bytes.writeUInt32BE(layout.refcountTable.count, 56);
  if (version === 3) {
    bytes.writeBigUInt64BE(options.extendedL2 ? EXTENDED_L2_BIT : 0n, 72);
    bytes.writeBigUInt64BE(options.lazyRefcounts ? LAZY_REFCOUNTS_BIT : 0n, 80);
    bytes.writeUInt32BE(REFCOUNT_ORDER, 96);
    bytes.writeUInt32BE(HEADER_BYTES[version], 100);
  }
  return bytes;
}

function extension(type: number, content: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(8 + Math.ceil(content.length / 8) * 8);
  bytes.writeUInt32BE(type, 0);
  bytes.writeUInt32BE(content.length, 4);
  bytes.set(content, 8);
  return bytes;
}

function featureNames(): Uint8Array {
  const bytes = Buffer.alloc(FEATURE_NAMES.length * FEATURE_NAME_BYTES);
  for (const [index, { type, bit, name }] of FEATURE_NAMES.entries()) {
    const at = index * FEATURE_NAME_BYTES;
    bytes[at] = type;
    bytes[at + 1] = bit;
    bytes.write(name, at + 2, "latin1");
  }
  return bytes;
}
