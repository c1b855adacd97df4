import { decodeUtf8 } from "@cistern/protocol";
import type { ImageBytes } from "./image-bytes.js";
import type { ImageFacts, ProbedFormat } from "./image-facts.js";
import { readQcow, readQcow2, upToNul } from "./qcow.js";

/** How a format is recognised and what its header says. */
export interface ImageFormat {
  readonly format: ProbedFormat;
  readonly magic: { readonly offset: number; readonly bytes: Uint8Array };
  readonly littleEndian: boolean;
  /** null: any version will do. */
  readonly version: {
    readonly offset: number;
    readonly lengthBytes: 2 | 4;
    readonly accepted: readonly number[];
  } | null;
  /** null: the header does not say what a guest sees. */
  readonly capacity: { readonly offset: number; readonly unitBytes: bigint } | null;
  /** The rest of the header. */
  readonly details?: (image: ImageBytes, version: number) => Partial<ImageFacts>;
}

const SECTOR_BYTES = 512n;
/** "QFI"; the byte 0xfb that follows is not looked at. */
const QCOW_MAGIC = { offset: 0, bytes: ascii("QFI") };

/** In the order in which they are tried; the first with its magic and an accepted version wins. */
export const IMAGE_FORMATS: readonly ImageFormat[] = [
  {
    format: "iso",
    magic: { offset: 32_769, bytes: ascii("CD001") },
    littleEndian: true,
    version: null,
    capacity: null,
  },
  {
    format: "vpc",
    magic: { offset: 0, bytes: ascii("conectix") },
    littleEndian: false,
    version: { offset: 12, lengthBytes: 4, accepted: [0x10000] },
    capacity: { offset: 40, unitBytes: 1n },
  },
  {
    format: "vdi",
    magic: { offset: 64, bytes: Uint8Array.of(0x7f, 0x10, 0xda, 0xbe) },
    littleEndian: true,
    version: { offset: 68, lengthBytes: 4, accepted: [0x00010001] },
    capacity: { offset: 368, unitBytes: 1n },
  },
  {
    format: "ploop",
    magic: { offset: 0, bytes: ascii("WithouFreSpacExt") },
    littleEndian: true,
    version: null,
    capacity: { offset: 36, unitBytes: SECTOR_BYTES },
  },
  {
    format: "cow",
    magic: { offset: 0, bytes: ascii("OOOM") },
    littleEndian: false,
    version: { offset: 4, lengthBytes: 4, accepted: [2] },
    capacity: { offset: 1036, unitBytes: 1n },
    details: readCow,
  },
  {
    format: "qcow",
    magic: QCOW_MAGIC,
    littleEndian: false,
    version: { offset: 4, lengthBytes: 4, accepted: [1] },
    capacity: { offset: 24, unitBytes: 1n },
    details: readQcow,
  },
  {
    format: "qcow2",
    magic: QCOW_MAGIC,
    littleEndian: false,
    version: { offset: 4, lengthBytes: 4, accepted: [2, 3] },
    capacity: { offset: 24, unitBytes: 1n },
    details: readQcow2,
  },
  {
    format: "qed",
    magic: { offset: 0, bytes: ascii("QED") },
    littleEndian: true,
    version: null,
    capacity: { offset: 48, unitBytes: 1n },
    details: readQed,
  },
  {
    format: "vmdk",
    magic: { offset: 0, bytes: ascii("KDMV") },
    littleEndian: true,
    version: { offset: 4, lengthBytes: 4, accepted: [1, 2, 3] },
    capacity: { offset: 12, unitBytes: SECTOR_BYTES },
    details: readVmdk,
  },
  {
    // Raw content inside an envelope: to a volume document the format stays raw.
    format: "raw",
    magic: { offset: 0, bytes: Uint8Array.of(...ascii("LUKS"), 0xba, 0xbe) },
    littleEndian: false,
    version: { offset: 6, lengthBytes: 2, accepted: [1] },
    capacity: null,
    details: (image) => ({ encryption: "luks", payloadOffsetBytes: BigInt(image.u32(104)) * SECTOR_BYTES }),
  },
];

/** cow:  8 backing file name, up to 1024 bytes. */
function readCow(image: ImageBytes): Partial<ImageFacts> {
  const name = upToNul(image.bytes(8, Math.min(1024, Math.max(0, image.length - 8))));
  return { backing: name.length === 0 ? null : { string: decodeUtf8(name), format: null } };
}

/** qed:  16 features 8 (bit 0 has a backing file, bit 2 it is raw), 56 backing offset 4, 60 backing length 4. */
function readQed(image: ImageBytes): Partial<ImageFacts> {
  const features = image.u64(16, true);
  if ((features & 1n) === 0n) return {};
  const offset = image.u32(56, true);
  const length = image.u32(60, true);
  if (offset === 0 || length === 0 || !image.has(offset, length)) return {};
  const string = decodeUtf8(upToNul(image.bytes(offset, length)));
  return { backing: { string, format: (features & 4n) === 0n ? null : "raw" } };
}

/** vmdk:  a text descriptor of up to 20 sectors after the first one, with a line parentFileNameHint="…". */
function readVmdk(image: ImageBytes): Partial<ImageFacts> {
  const start = 0x200;
  if (image.length <= start) return {};
  const descriptor = decodeUtf8(upToNul(image.bytes(start, Math.min(20 * 512, image.length - start))));
  const hint = /parentFileNameHint="([^"]*)"/.exec(descriptor)?.[1];
  return { backing: hint === undefined || hint === "" ? null : { string: hint, format: null } };
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
