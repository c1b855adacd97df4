import { decodeUtf8 } from "@cistern/protocol";
import { imageLimits } from "../limits.js";
import { type HeaderFacts, type HeaderReader, textAt } from "./header-reader.js";
import type { ImageBacking } from "./image-facts.js";
import { type BoundedSource, Fields } from "./image-source.js";
import { upToNul } from "./qcow.js";
import { readVmdkHeader } from "./vmdk-header.js";
import { readVpcHeader } from "./vpc-header.js";

const SECTOR_BYTES = 512n;

/** By the name that images and documents give to the format. qcow2 has a reader of its own. */
export const HEADER_READERS: ReadonlyMap<string, HeaderReader> = new Map([
  ["bochs", readBochs],
  ["cloop", readCloop],
  ["cow", readCow],
  ["dmg", readDmg],
  ["iso", readIso],
  ["luks", readLuks],
  ["parallels", readPloop],
  ["ploop", readPloop],
  ["qcow", readQcow],
  ["qed", readQed],
  ["vdi", readVdi],
  ["vmdk", readVmdkHeader],
  ["vpc", readVpcHeader],
]);

/** Enough for each header but the ones that stand elsewhere. */
const HEAD_BYTES = 4_096;

async function head(bounded: BoundedSource, byteOrder: "big" | "little", offsetBytes = 0n): Promise<Fields> {
  return new Fields(await bounded.upTo("The header", offsetBytes, HEAD_BYTES), byteOrder);
}

/** little-endian:  0 magic 32, 64 version 4, 84 (version 1) or 88 (version 2) size 8. */
async function readBochs(bounded: BoundedSource): Promise<HeaderFacts | null> {
  const fields = await head(bounded, "little");
  if (textAt(fields, 0, 32) !== "Bochs Virtual HD Image") return null;
  const version = fields.u32(64) === 0x10000 ? 1 : 2;
  return { subformat: textAt(fields, 48, 16), version, capacityBytes: fields.u64(version === 1 ? 84 : 88) };
}

/** big-endian:  0 shell script 128, 128 block size 4, 132 number of blocks 4. */
async function readCloop(bounded: BoundedSource): Promise<HeaderFacts | null> {
  const fields = await head(bounded, "big");
  if (!textAt(fields, 0, 128).startsWith("#!/bin/sh\n#V2.0 Format\nmodprobe cloop")) return null;
  const blockBytes = BigInt(fields.u32(128));
  return { clusterSizeBytes: blockBytes, capacityBytes: blockBytes * BigInt(fields.u32(132)) };
}

/** big-endian:  0 "OOOM", 4 version 4, 8 backing file name 1024, 1036 size 8, 1044 sector size 4. */
async function readCow(bounded: BoundedSource): Promise<HeaderFacts | null> {
  const fields = await head(bounded, "big");
  if (textAt(fields, 0, 4) !== "OOOM" || !fields.has(0, 1048)) return null;
  const name = textAt(fields, 8, 1024);
  const backing = name === "" ? null : { string: name, format: null };
  return {
    version: fields.u32(4),
    capacityBytes: fields.u64(1036),
    clusterSizeBytes: BigInt(fields.u32(1044)),
    backing,
  };
}

/** big-endian, the last 512 bytes:  0 "koly", 492 sectors 8. */
async function readDmg(bounded: BoundedSource): Promise<HeaderFacts | null> {
  const fields = await head(bounded, "big", bounded.sizeBytes - SECTOR_BYTES);
  if (textAt(fields, 0, 4) !== "koly") return null;
  return { version: fields.u32(4), capacityBytes: fields.u64(492) * SECTOR_BYTES };
}

/** little-endian, from 32768 on:  1 "CD001", 128 block size 2. A guest sees all of the file. */
async function readIso(bounded: BoundedSource): Promise<HeaderFacts | null> {
  const fields = await head(bounded, "little", 32_768n);
  if (textAt(fields, 1, 5) !== "CD001") return null;
  return { version: fields.u8(6), clusterSizeBytes: BigInt(fields.u16(128)) };
}

/** big-endian:  0 magic 6, 6 version 2; version 1: 8 cipher 32, 40 mode 32, 104 payload offset in sectors 4. */
async function readLuks(bounded: BoundedSource): Promise<HeaderFacts | null> {
  const fields = await head(bounded, "big");
  if (textAt(fields, 0, 4) !== "LUKS" || fields.u16(4) !== 0xbabe) return null;
  const version = fields.u16(6);
  if (version !== 1) return { version, encryption: "luks" };
  const payloadBytes = BigInt(fields.u32(104)) * SECTOR_BYTES;
  return {
    subformat: `${textAt(fields, 8, 32)}-${textAt(fields, 40, 32)}`,
    version,
    capacityBytes: bounded.sizeBytes > payloadBytes ? bounded.sizeBytes - payloadBytes : 0n,
    encryption: "luks",
  };
}

/** little-endian:  0 magic 16, 16 version 4, 28 sectors of a block 4, 36 sectors 8 (4 in the older kind). */
async function readPloop(bounded: BoundedSource): Promise<HeaderFacts | null> {
  const fields = await head(bounded, "little");
  const magic = textAt(fields, 0, 16);
  if (magic !== "WithouFreSpacExt" && magic !== "WithoutFreeSpace") return null;
  const sectors = magic === "WithouFreSpacExt" ? fields.u64(36) : BigInt(fields.u32(36));
  return {
    version: fields.u32(16),
    capacityBytes: sectors * SECTOR_BYTES,
    clusterSizeBytes: BigInt(fields.u32(28)) * SECTOR_BYTES,
  };
}

/** big-endian:  0 magic 4, 4 version 4, 8 backing offset 8, 16 backing length 4, 24 size 8, 32 cluster bits 1, 36 crypt 4. */
async function readQcow(bounded: BoundedSource): Promise<HeaderFacts | null> {
  const fields = await head(bounded, "big");
  if (fields.u32(0) !== 0x514649fb || fields.u32(4) !== 1 || !fields.has(0, 48)) return null;
  const bits = fields.u8(32);
  const method = fields.u32(36);
  return {
    version: 1,
    capacityBytes: fields.u64(24),
    clusterSizeBytes: bits >= 9 && bits <= 16 ? 1n << BigInt(bits) : null,
    backing: await backingAt(fields.u64(8), fields.u32(16), null, bounded),
    encryption: method === 0 ? null : method === 1 ? "aes" : "unknown",
  };
}

/**
 * little-endian:  0 "QED", 4 cluster size 4, 16 features 8 (bit 0 has a backing file, bit 2 it is raw), 48 size 8,
 * 56 backing offset 4, 60 backing length 4.
 */
async function readQed(bounded: BoundedSource): Promise<HeaderFacts | null> {
  const fields = await head(bounded, "little");
  if (textAt(fields, 0, 4) !== "QED" || !fields.has(0, 64)) return null;
  const features = fields.u64(16);
  const format = (features & 4n) === 0n ? null : "raw";
  const hasBacking = (features & 1n) !== 0n;
  return {
    capacityBytes: fields.u64(48),
    clusterSizeBytes: BigInt(fields.u32(4)),
    backing: hasBacking ? await backingAt(BigInt(fields.u32(56)), fields.u32(60), format, bounded) : null,
  };
}

const VDI_TYPES = new Map([
  [1, "dynamic"],
  [2, "fixed"],
  [3, "undo"],
  [4, "differencing"],
]);

/** little-endian:  64 magic 4, 68 version 4, 76 type 4, 368 size 8, 376 block size 4. Parents are named by UUID alone. */
async function readVdi(bounded: BoundedSource): Promise<HeaderFacts | null> {
  const fields = await head(bounded, "little");
  if (fields.u32(64) !== 0xbeda107f || !fields.has(0, 380)) return null;
  return {
    subformat: VDI_TYPES.get(fields.u32(76)) ?? null,
    version: fields.u32(68) >>> 16,
    capacityBytes: fields.u64(368),
    clusterSizeBytes: BigInt(fields.u32(376)),
  };
}

async function backingAt(
  offsetBytes: bigint,
  lengthBytes: number,
  format: string | null,
  bounded: BoundedSource,
): Promise<ImageBacking | null> {
  if (offsetBytes === 0n || lengthBytes === 0) return null;
  return bounded.attempt(null, async () => {
    if (lengthBytes > imageLimits.backingNameBytes) {
      bounded.problem(`The backing file name is ${lengthBytes} bytes long.`);
      return null;
    }
    const bytes = await bounded.exactly("The backing file name", offsetBytes, lengthBytes);
    return { string: decodeUtf8(upToNul(bytes)), format };
  });
}
