import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { decodeUtf8 } from "@cistern/protocol";

/** The largest document libvirt takes. */
const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

/** A document from a file, or from standard input where `path` is "-". */
export async function readDocument(path: string, stdin: NodeJS.ReadableStream): Promise<string> {
  const bytes = path === "-" ? await buffer(stdin) : await readFile(path);
  if (bytes.length > MAX_DOCUMENT_BYTES)
    throw new Error(`"${path}" has ${bytes.length} bytes; a document has at most 4 MiB`);
  return decodeUtf8(bytes);
}

/** A directory pool. */
export function directoryPoolXml(name: string, path: string): string {
  return `<pool type='dir'><name>${escapeXml(name)}</name><target><path>${escapeXml(path)}</path></target></pool>`;
}

export interface NewVolume {
  readonly name: string;
  readonly capacityBytes: bigint;
  /** null: all of the capacity, as libvirt has it. */
  readonly allocationBytes: bigint | null;
  readonly format: string | null;
  readonly backing: { readonly path: string; readonly format: string | null } | null;
}

/** A volume that is to be made. */
export function newVolumeXml(volume: NewVolume): string {
  const { name, capacityBytes, allocationBytes, format, backing } = volume;
  return [
    `<volume><name>${escapeXml(name)}</name><capacity unit='bytes'>${capacityBytes}</capacity>`,
    allocationBytes === null ? "" : `<allocation unit='bytes'>${allocationBytes}</allocation>`,
    format === null ? "" : `<target>${formatXml(format)}</target>`,
    backing === null
      ? ""
      : `<backingStore><path>${escapeXml(backing.path)}</path>${backing.format === null ? "" : formatXml(backing.format)}</backingStore>`,
    "</volume>",
  ].join("");
}

function formatXml(format: string): string {
  return `<format type='${escapeXml(format)}'/>`;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>'"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
