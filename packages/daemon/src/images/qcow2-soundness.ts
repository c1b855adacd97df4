import { QCOW2_LIMITS } from "./qcow2-geometry.js";

/*
 * qemu-img opens a backing file before it makes an overlay, and refuses what it cannot open. Here it is told from the
 * header alone that it can: what is not plainly in order gets no answer. Fields as in qcow2-header-bytes.ts.
 */
const MAGIC = 0x514649fb;
const VERSION_2_HEADER_BYTES = 72;
const VERSION_3_HEADER_BYTES = 112;
const EXTENDED_L2_BIT = 1n << 4n;
const LAZY_REFCOUNTS_BIT = 1n << 0n;
const REFCOUNT_ORDER = 4;
const SECTOR_BYTES = 512n;
const FEATURE_NAMES_EXTENSION = 0x6803f857;
const END_EXTENSION = 0;

/** The size of the disk in an image that begins with `head`; null where that is not all there is to say about it. */
export function plainCapacityBytes(head: Uint8Array): bigint | null {
  if (head.length < VERSION_3_HEADER_BYTES) return null;
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  const version = bytes.readUInt32BE(4);
  if (bytes.readUInt32BE(0) !== MAGIC || (version !== 2 && version !== 3)) return null;
  const isPlain = version === 2 ? hasNoExtension(bytes, VERSION_2_HEADER_BYTES) : isPlainVersion3(bytes);
  return isPlain && hasPlainTables(bytes, version === 3) ? bytes.readBigUInt64BE(24) : null;
}

/** Nothing but the two features that a volume document names, no compression but the usual, known extensions only. */
function isPlainVersion3(bytes: Buffer): boolean {
  const incompatible = bytes.readBigUInt64BE(72);
  const compatible = bytes.readBigUInt64BE(80);
  const autoclear = bytes.readBigUInt64BE(88);
  if ((incompatible & ~EXTENDED_L2_BIT) !== 0n || (compatible & ~LAZY_REFCOUNTS_BIT) !== 0n) return false;
  if (autoclear !== 0n || bytes.readUInt32BE(96) !== REFCOUNT_ORDER) return false;
  if (bytes.readUInt32BE(100) !== VERSION_3_HEADER_BYTES || bytes.readUInt8(104) !== 0) return false;
  return hasNoExtension(bytes, VERSION_3_HEADER_BYTES);
}

/** None but the names of features, which change nothing. */
function hasNoExtension(bytes: Buffer, start: number): boolean {
  let at = start;
  if (at + 8 <= bytes.length && bytes.readUInt32BE(at) === FEATURE_NAMES_EXTENSION) {
    at += 8 + Math.ceil(bytes.readUInt32BE(at + 4) / 8) * 8;
  }
  return at + 8 <= bytes.length && bytes.readUInt32BE(at) === END_EXTENSION;
}

/** No backing file, no encryption, no snapshots; tables that lie on clusters and are long enough, but not too long. */
function hasPlainTables(bytes: Buffer, mayBeExtended: boolean): boolean {
  const clusterBits = bytes.readUInt32BE(20);
  const clusterBytes = 2 ** clusterBits;
  const isExtended = mayBeExtended && (bytes.readBigUInt64BE(72) & EXTENDED_L2_BIT) !== 0n;
  const { smallest, largest } = QCOW2_LIMITS.clusterBytes;
  if (clusterBytes < (isExtended ? QCOW2_LIMITS.extendedClusterBytes : smallest) || clusterBytes > largest)
    return false;
  const isOnCluster = (at: number): boolean => bytes.readBigUInt64BE(at) % BigInt(clusterBytes) === 0n;
  const capacityBytes = bytes.readBigUInt64BE(24);
  const bytesPerEntry = BigInt(clusterBytes) * BigInt(clusterBytes / (isExtended ? 16 : 8));
  const [l1Entries, tableClusters] = [bytes.readUInt32BE(36), bytes.readUInt32BE(56)];
  return (
    bytes.readBigUInt64BE(8) === 0n &&
    bytes.readUInt32BE(32) === 0 &&
    bytes.readUInt32BE(60) === 0 &&
    capacityBytes % SECTOR_BYTES === 0n &&
    BigInt(l1Entries) * bytesPerEntry >= capacityBytes &&
    l1Entries * 8 <= QCOW2_LIMITS.l1Bytes &&
    isOnCluster(40) &&
    isOnCluster(48) &&
    tableClusters > 0 &&
    tableClusters * clusterBytes <= QCOW2_LIMITS.refcountTableBytes
  );
}
