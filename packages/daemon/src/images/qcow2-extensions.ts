import { decodeUtf8 } from "@cistern/protocol";
import { imageLimits } from "../limits.js";
import type { Qcow2Facts, Qcow2Feature } from "./image-details.js";
import { type BoundedSource, Fields } from "./image-source.js";
import { upToNul } from "./qcow.js";

/** type 4, length 4, content padded to 8. */
const EXTENSION_HEADER_BYTES = 8;
const END = 0;
const BACKING_FORMAT = 0xe2792aca;
const FEATURE_NAMES = 0x6803f857;
const BITMAPS = 0x23852875;
const LUKS_HEADER = 0x0537be77;
const DATA_FILE = 0x44415441;

/** 0 kind 1, 1 bit 1, 2 name 46 */
const FEATURE_NAME_BYTES = 48;
const FEATURE_KINDS = ["incompatible", "compatible", "autoclear"] as const;

export interface ExtensionTexts {
  readonly backingFormat: string | null;
  readonly dataFile: string | null;
}

/** Where the bitmaps are, as the image says. */
export interface BitmapDirectory {
  readonly count: number;
  readonly offsetBytes: bigint;
  readonly lengthBytes: bigint;
}

export interface Qcow2Extensions {
  readonly texts: ExtensionTexts;
  readonly luksHeader: Qcow2Facts["luksHeader"];
  readonly featureNames: readonly Qcow2Feature[];
  readonly bitmaps: BitmapDirectory | null;
}

export const NO_EXTENSIONS: Qcow2Extensions = {
  texts: { backingFormat: null, dataFile: null },
  luksHeader: null,
  featureNames: [],
  bitmaps: null,
};

/** Goes through the extensions of a qcow2 header; of two of a kind the last one counts, as to qemu. */
export function extensionsOf(
  head: Fields,
  { from, to }: { readonly from: number; readonly to: number },
  bounded: BoundedSource,
): Qcow2Extensions {
  const end = Math.min(to, head.length);
  let found = NO_EXTENSIONS;
  let at = from;
  for (let passed = 0; at + EXTENSION_HEADER_BYTES <= end; passed++) {
    const type = head.u32(at);
    const length = head.u32(at + 4);
    at += EXTENSION_HEADER_BYTES;
    if (type === END) return found;
    if (at + length > end || passed === imageLimits.headerExtensions) {
      bounded.problem(`The header extension 0x${type.toString(16)} goes beyond the header.`);
      return found;
    }
    found = { ...found, ...extension(type, new Fields(head.part(at, length)), found.texts, bounded) };
    at += Math.ceil(length / 8) * 8;
  }
  return found;
}

function extension(
  type: number,
  content: Fields,
  texts: ExtensionTexts,
  bounded: BoundedSource,
): Partial<Qcow2Extensions> {
  switch (type) {
    case BACKING_FORMAT:
      return { texts: { ...texts, backingFormat: text("format name", content, imageLimits.formatNameBytes, bounded) } };
    case DATA_FILE:
      return { texts: { ...texts, dataFile: text("data file name", content, imageLimits.dataFileNameBytes, bounded) } };
    case FEATURE_NAMES:
      return { featureNames: featureNames(content) };
    case LUKS_HEADER:
      return content.length < 16 ? {} : { luksHeader: { offsetBytes: content.u64(0), lengthBytes: content.u64(8) } };
    case BITMAPS:
      return content.length < 24
        ? {}
        : { bitmaps: { count: content.u32(0), lengthBytes: content.u64(8), offsetBytes: content.u64(16) } };
    default:
      return {};
  }
}

function text(what: string, content: Fields, longestBytes: number, bounded: BoundedSource): string | null {
  if (content.length <= longestBytes) return decodeUtf8(upToNul(content.bytes));
  bounded.problem(`The ${what} is ${content.length} bytes long.`);
  return null;
}

function featureNames(content: Fields): Qcow2Feature[] {
  const features: Qcow2Feature[] = [];
  for (let at = 0; content.has(at, FEATURE_NAME_BYTES); at += FEATURE_NAME_BYTES) {
    const kind = FEATURE_KINDS[content.u8(at)];
    if (kind === undefined || features.length === imageLimits.featureNames) continue;
    const name = decodeUtf8(upToNul(content.part(at + 2, FEATURE_NAME_BYTES - 2)));
    features.push({ kind, bit: content.u8(at + 1), name });
  }
  return features;
}
