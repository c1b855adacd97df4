import { decodeUtf8 } from "@cistern/protocol";
import { imageLimits } from "../limits.js";
import type { HeaderFacts } from "./header-reader.js";
import { type BoundedSource, Fields } from "./image-source.js";
import { upToNul } from "./qcow.js";

/*
 * A sparse file, little-endian:  0 "KDMV", 4 version 4, 12 sectors 8, 20 sectors of a grain 8, 28 descriptor's sector 8,
 * 36 its length in sectors 8. Or a descriptor alone, a text:
 *
 *     # Disk DescriptorFile
 *     createType="twoGbMaxExtentFlat"
 *     parentFileNameHint="base.vmdk"
 *     RW 2048 FLAT "disk-f001.vmdk" 0
 */
const SECTOR_BYTES = 512n;
const SPARSE_HEADER_BYTES = 512;
const TEXT_START = "# Disk DescriptorFile";
/** access, sectors, kind, file */
const EXTENT = /^(?:RW|RDONLY|NOACCESS) (\d{1,18}) [A-Z0-9]{1,16} "([^"]{1,1023})"/;
/** Kinds whose one extent is the file itself. */
const ONE_FILE = ["monolithicSparse", "streamOptimized"];

export async function readVmdkHeader(bounded: BoundedSource): Promise<HeaderFacts | null> {
  const start = await bounded.upTo("The header", 0n, SPARSE_HEADER_BYTES);
  const header = new Fields(start, "little");
  if (decodeUtf8(header.part(0, 4)) === "KDMV" && header.has(0, SPARSE_HEADER_BYTES)) return sparse(header, bounded);
  if (!decodeUtf8(header.part(0, TEXT_START.length)).startsWith(TEXT_START)) return null;
  const { sectors, ...facts } = descriptor(
    await bounded.upTo("The descriptor", 0n, imageLimits.descriptorBytes),
    bounded,
  );
  return { ...facts, capacityBytes: sectors * SECTOR_BYTES };
}

async function sparse(header: Fields, bounded: BoundedSource): Promise<HeaderFacts> {
  const facts: HeaderFacts = {
    version: header.u32(4),
    capacityBytes: header.u64(12) * SECTOR_BYTES,
    clusterSizeBytes: header.u64(20) * SECTOR_BYTES,
  };
  const offset = header.u64(28) * SECTOR_BYTES;
  // An extent of a disk of several files has none.
  if (offset === 0n) return facts;
  const length = header.u64(36) * SECTOR_BYTES;
  return bounded.attempt(facts, async () => {
    const lengthBytes = length < BigInt(imageLimits.descriptorBytes) ? Number(length) : imageLimits.descriptorBytes;
    const { sectors: _, ...said } = descriptor(await bounded.exactly("The descriptor", offset, lengthBytes), bounded);
    return { ...facts, ...said, dataFiles: ONE_FILE.includes(said.subformat ?? "") ? [] : said.dataFiles };
  });
}

interface Descriptor {
  readonly subformat: string | null;
  readonly backing: { readonly string: string; readonly format: string } | null;
  readonly dataFiles: readonly string[];
  readonly sectors: bigint;
}

function descriptor(bytes: Uint8Array, bounded: BoundedSource): Descriptor {
  const lines = decodeUtf8(upToNul(bytes)).split("\n");
  const value = (key: string, longest: number) => {
    const line = lines.find((candidate) => candidate.startsWith(`${key}="`));
    const text = line?.slice(key.length + 2, line.indexOf('"', key.length + 2)) ?? null;
    if (text === null || text.length <= longest) return text;
    bounded.problem(`The descriptor has a ${key} of ${text.length} letters.`);
    return null;
  };
  const dataFiles: string[] = [];
  let sectors = 0n;
  for (const line of lines) {
    const [, length, file] = EXTENT.exec(line) ?? [];
    if (length === undefined || file === undefined) continue;
    sectors += BigInt(length);
    if (dataFiles.length < imageLimits.extents) dataFiles.push(file);
  }
  const parent = value("parentFileNameHint", imageLimits.backingNameBytes);
  return {
    subformat: value("createType", imageLimits.formatNameBytes),
    backing: parent === null || parent === "" ? null : { string: parent, format: "vmdk" },
    dataFiles,
    sectors,
  };
}
