import type { FileFacts } from "./host.js";
import { kindOfMode } from "./local/facts.js";
import { statxOffsets } from "./native.js";

/**
 * How a scan thread hands over entries: packed, because cloning hundreds of objects with a dozen big integers each would
 * keep the main thread busy, while a transferred buffer costs nothing and is read field by field.
 */
export interface ScanBatch {
  /** Joined by "/", which no name contains. */
  readonly names: string;
  /** `recordBytes` per entry; see `Record`. */
  readonly records: ArrayBuffer;
  /** Heads and windows of all entries, one after the other. */
  readonly contents: ArrayBuffer;
  /** The labels that records point at by index. */
  readonly labels: readonly string[];
  /** Entries (by index) that are symlinks to storage of another home, and where they lead. */
  readonly elsewhere: readonly { readonly index: number; readonly path: string }[];
}

const contentsKnown = 1;
const isSymlink = 2;
const usable = 4;

/** Offsets within a record, in 4-byte and 8-byte units. */
const words = { flags: 0, errno: 1, mode: 2, blockSize: 3, owner: 4, group: 5, label: 6, contentOffset: 7, headLength: 8 } as const;
const quads = { inode: 5, size: 6, allocated: 7, device: 8, access: 9, modification: 10, change: 11, windowLengths: 12 } as const;

function recordQuads(windows: number): number {
  return quads.windowLengths + Math.ceil(windows / 2);
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
  readonly #windows: number;
  readonly #stride: number;
  readonly #names: string[] = [];
  readonly #records: ArrayBuffer;
  readonly #words: Uint32Array;
  readonly #quads: BigInt64Array;
  readonly #contents: Uint8Array;
  readonly #labels: string[] = [];
  readonly #elsewhere: { index: number; path: string }[] = [];
  #contentLength = 0;
  #count = 0;

  /** `contents`: memory used for this batch until `finish`; at least one entry's content longer than `contentLimit`. */
  constructor(entries: number, windows: number, contents: Uint8Array) {
    this.#windows = windows;
    this.#stride = recordQuads(windows);
    this.#records = new ArrayBuffer(entries * this.#stride * 8);
    this.#words = new Uint32Array(this.#records);
    this.#quads = new BigInt64Array(this.#records);
    this.#contents = contents;
  }

  get count(): number {
    return this.#count;
  }

  get contentLength(): number {
    return this.#contentLength;
  }

  /** Memory for the next entry's content. */
  get free(): Uint8Array {
    return this.#contents.subarray(this.#contentLength);
  }

  addUnusable(name: string, symlink: boolean, errno: number): void {
    const base = this.#begin(name);
    this.#words[base + words.flags] = symlink ? isSymlink : 0;
    this.#words[base + words.errno] = errno;
  }

  addElsewhere(name: string, path: string): void {
    this.#elsewhere.push({ index: this.#count, path });
    this.addUnusable(name, true, 0);
  }

  /** `statx`: views of one struct statx. `lengths`: of head and each window, as they lie in `free`; null: not read. */
  addUsable(name: string, symlink: boolean, statx: StatxView, label: string | null, lengths: readonly number[] | null): void {
    const at = this.#count * this.#stride;
    const base = this.#begin(name);
    const target = this.#words;
    target[base + words.flags] = usable | (symlink ? isSymlink : 0) | (lengths === null ? 0 : contentsKnown);
    target[base + words.mode] = statx.mode;
    target[base + words.blockSize] = statx.word(statxOffsets.blockSize);
    target[base + words.owner] = statx.word(statxOffsets.owner);
    target[base + words.group] = statx.word(statxOffsets.group);
    target[base + words.label] = label === null ? noLabel : this.#labelIndex(label);
    target[base + words.contentOffset] = this.#contentLength;
    this.#quads[at + quads.inode] = statx.quad(statxOffsets.inode);
    this.#quads[at + quads.size] = statx.sizeBytes;
    this.#quads[at + quads.allocated] = statx.quad(statxOffsets.blocks) * 512n;
    this.#quads[at + quads.device] = statx.device;
    this.#quads[at + quads.access] = statx.time(statxOffsets.access);
    this.#quads[at + quads.modification] = statx.time(statxOffsets.modification);
    this.#quads[at + quads.change] = statx.time(statxOffsets.change);
    if (lengths === null) return;
    target[base + words.headLength] = lengths[0] ?? 0;
    for (let index = 0; index < this.#windows; index += 1) {
      target[(at + quads.windowLengths) * 2 + index] = lengths[index + 1] ?? 0;
    }
    this.#contentLength += lengths.reduce((sum, length) => sum + length, 0);
  }

  finish(): ScanBatch {
    return {
      names: this.#names.join("/"),
      records: this.#records.slice(0, this.#count * this.#stride * 8),
      contents: this.#contents.slice(0, this.#contentLength).buffer as ArrayBuffer,
      labels: this.#labels,
      elsewhere: this.#elsewhere,
    };
  }

  #begin(name: string): number {
    this.#names.push(name);
    this.#count += 1;
    return (this.#count - 1) * this.#stride * 2;
  }

  #labelIndex(label: string): number {
    const index = this.#labels.indexOf(label);
    return index >= 0 ? index : this.#labels.push(label) - 1;
  }
}

/** Reads struct statx where the kernel has put it. */
export class StatxView {
  readonly bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #quads: BigInt64Array;
  /** Stands for st_size where that is 0: block devices. */
  deviceSizeBytes: bigint | null = null;

  constructor(length: number) {
    const buffer = new ArrayBuffer(length);
    this.bytes = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer);
    this.#quads = new BigInt64Array(buffer);
  }

  word(offset: number): number {
    return this.#words[offset / 4] ?? 0;
  }

  quad(offset: number): bigint {
    return this.#quads[offset / 8] ?? 0n;
  }

  time(offset: number): bigint {
    return this.quad(offset) * 1_000_000_000n + BigInt(this.word(offset + 8));
  }

  get mode(): number {
    return this.word(statxOffsets.mode) & 0xffff;
  }

  get sizeBytes(): bigint {
    return this.deviceSizeBytes ?? this.quad(statxOffsets.size);
  }

  /** As stat gives it (glibc's makedev). */
  get device(): bigint {
    const major = BigInt(this.word(statxOffsets.deviceMajor));
    const minor = BigInt(this.word(statxOffsets.deviceMinor));
    return ((major & 0xffff_f000n) << 32n) | ((major & 0xfffn) << 8n) | ((minor & 0xffff_ff00n) << 12n) | (minor & 0xffn);
  }
}

/** The entries of a batch, in the main thread. Heads and windows are views of the batch's memory. */
export function unpackBatch(batch: ScanBatch, windows: number): UnpackedEntry[] {
  if (batch.records.byteLength === 0) return [];
  const stride = recordQuads(windows);
  const words32 = new Uint32Array(batch.records);
  const quads64 = new BigInt64Array(batch.records);
  return batch.names.split("/").map((name, index): UnpackedEntry => {
    const at = index * stride;
    const word = (offset: number) => words32[at * 2 + offset] ?? 0;
    const quad = (offset: number) => quads64[at + offset] ?? 0n;
    const flags = word(words.flags);
    const symlink = (flags & isSymlink) !== 0;
    if ((flags & usable) === 0) return { name, isSymlink: symlink, errno: word(words.errno), facts: null, head: null, windows: [] };
    const mode = word(words.mode);
    const facts: FileFacts = {
      kind: kindOfMode(mode),
      sizeBytes: quad(quads.size),
      allocatedBytes: quad(quads.allocated),
      blockSizeBytes: word(words.blockSize),
      mode: mode & 0o7777,
      owner: word(words.owner),
      group: word(words.group),
      device: quad(quads.device),
      inode: BigInt.asUintN(64, quad(quads.inode)),
      accessNs: quad(quads.access),
      modificationNs: quad(quads.modification),
      changeNs: quad(quads.change),
      label: batch.labels[word(words.label)] ?? null,
    };
    if ((flags & contentsKnown) === 0) return { name, isSymlink: symlink, errno: 0, facts, head: null, windows: [] };
    let offset = word(words.contentOffset);
    const take = (length: number) => {
      offset += length;
      return new Uint8Array(batch.contents, offset - length, length);
    };
    const head = take(word(words.headLength));
    const taken = Array.from({ length: windows }, (_, window) => take(word(quads.windowLengths * 2 + window)));
    return { name, isSymlink: symlink, errno: 0, facts, head, windows: taken };
  });
}
