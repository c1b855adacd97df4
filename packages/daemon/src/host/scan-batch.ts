import type { FileFacts } from "./host.js";
import { factsOfStatx } from "./local/facts.js";

/**
 * How a scan thread hands over entries: packed, because cloning hundreds of objects with a dozen big integers each would
 * keep the main thread busy, while a transferred buffer costs nothing and is read field by field.
 *
 * Each entry has a record: struct statx as the kernel wrote it, then fields of our own.
 */
export interface ScanBatch {
  /** Joined by "/", which no name contains. */
  readonly names: string;
  readonly records: ArrayBuffer;
  /** Heads and windows of all entries, one after the other. */
  readonly contents: ArrayBuffer;
  /** The labels that records point at by index. */
  readonly labels: readonly string[];
  /** Entries (by index) that are symlinks to storage of another home, and where they lead. */
  readonly elsewhere: readonly { readonly index: number; readonly path: string }[];
}

/** Bytes of struct statx that are kept: all up to the device numbers. */
export const keptStatxBytes = 144;

/** Further fields, in 4-byte units from the record's start; window lengths follow, one unit each. */
const fields = { flags: 36, errno: 37, label: 38, contentOffset: 39, headLength: 40, windowLengths: 41 } as const;

const isSymlinkFlag = 1;
const isUsableFlag = 2;
const hasContentFlag = 4;

/** 4-byte units of a record; even, so that 8-byte fields of the next one lie on their boundary. */
function recordWords(windows: number): number {
  return fields.windowLengths + windows + ((fields.windowLengths + windows) % 2);
}

const noLabel = 0xffff_ffff;

/** One entry as it is taken from a batch; content is null where it was not read. */
export interface UnpackedEntry {
  readonly name: string;
  readonly isSymlink: boolean;
  readonly errno: number;
  readonly facts: FileFacts | null;
  readonly head: Uint8Array | null;
  readonly windows: readonly Uint8Array[];
}

/** Fills a batch, in the scan thread. */
export class BatchWriter {
  readonly #names: string[] = [];
  readonly #recordWords: number;
  readonly #records: Uint32Array;
  readonly #contents: Uint8Array;
  readonly #labels: string[] = [];
  readonly #elsewhere: { index: number; path: string }[] = [];
  #contentLength = 0;

  /** `contents`: memory for what is read of the entries, until `finish`. */
  constructor(entries: number, windows: number, contents: Uint8Array) {
    this.#recordWords = recordWords(windows);
    this.#records = new Uint32Array(entries * this.#recordWords);
    this.#contents = contents;
  }

  get count(): number {
    return this.#names.length;
  }

  get contentLength(): number {
    return this.#contentLength;
  }

  /** Memory for the next entry's content. */
  get free(): Uint8Array {
    return this.#contents.subarray(this.#contentLength);
  }

  addUnusable(name: string, isSymlink: boolean, errno: number): void {
    const record = this.#begin(name);
    this.#records[record + fields.flags] = isSymlink ? isSymlinkFlag : 0;
    this.#records[record + fields.errno] = errno;
  }

  addElsewhere(name: string, path: string): void {
    this.#elsewhere.push({ index: this.count, path });
    this.addUnusable(name, true, 0);
  }

  /** `lengths`: of the head and each window, which lie in `free` one after the other; null: not read. */
  addUsable(
    name: string,
    isSymlink: boolean,
    statx: Uint32Array,
    label: string | null,
    lengths: readonly number[] | null,
  ): void {
    const records = this.#records;
    const record = this.#begin(name);
    records.set(statx, record);
    records[record + fields.flags] =
      isUsableFlag | (isSymlink ? isSymlinkFlag : 0) | (lengths === null ? 0 : hasContentFlag);
    records[record + fields.label] = label === null ? noLabel : this.#labelIndex(label);
    records[record + fields.contentOffset] = this.#contentLength;
    if (lengths === null) return;
    records.set(lengths, record + fields.headLength);
    for (const length of lengths) this.#contentLength += length;
  }

  finish(): ScanBatch {
    return {
      names: this.#names.join("/"),
      records: this.#records.slice(0, this.count * this.#recordWords).buffer,
      contents: new Uint8Array(this.#contents.subarray(0, this.#contentLength)).buffer,
      labels: this.#labels,
      elsewhere: this.#elsewhere,
    };
  }

  #begin(name: string): number {
    return (this.#names.push(name) - 1) * this.#recordWords;
  }

  #labelIndex(label: string): number {
    const index = this.#labels.indexOf(label);
    return index >= 0 ? index : this.#labels.push(label) - 1;
  }
}

/** The entries of a batch, in the main thread. Heads and windows are views of the batch's memory. */
export function unpackBatch(batch: ScanBatch, windows: number): UnpackedEntry[] {
  if (batch.records.byteLength === 0) return [];
  const words = new Uint32Array(batch.records);
  const quads = new BigInt64Array(batch.records);
  const stride = recordWords(windows);
  return batch.names.split("/").map((name, index): UnpackedEntry => {
    const record = index * stride;
    const word = (offset: number) => words[record + offset] ?? 0;
    const isSymlink = (word(fields.flags) & isSymlinkFlag) !== 0;
    if ((word(fields.flags) & isUsableFlag) === 0) {
      return { name, isSymlink, errno: word(fields.errno), facts: null, head: null, windows: [] };
    }
    const facts = factsOfStatx(words, quads, record, batch.labels[word(fields.label)] ?? null);
    if ((word(fields.flags) & hasContentFlag) === 0)
      return { name, isSymlink, errno: 0, facts, head: null, windows: [] };
    let offset = word(fields.contentOffset);
    const take = (length: number) => {
      offset += length;
      return new Uint8Array(batch.contents, offset - length, length);
    };
    const head = take(word(fields.headLength));
    const taken: Uint8Array[] = [];
    for (let window = 0; window < windows; window += 1) taken.push(take(word(fields.windowLengths + window)));
    return { name, isSymlink, errno: 0, facts, head, windows: taken };
  });
}
