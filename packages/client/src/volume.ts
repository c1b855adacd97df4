import { storage, type VolumeReference } from "@cistern/protocol";
import type { Caller } from "./caller.js";
import type { CallOptions } from "./channel.js";
import { boundTo } from "./giving-up.js";
import { DownloadStream } from "./streams/download-stream.js";
import { UploadStream } from "./streams/upload-stream.js";
import { numberOf } from "./wrong-arguments.js";

/** What a volume is to its host, in the order of libvirt's numbers. */
export const VOLUME_KINDS = ["file", "block", "dir", "network", "netdir", "ploop"] as const;
/** What a volume is to its host. */
export type VolumeKind = (typeof VOLUME_KINDS)[number];

/** A volume's kind and sizes. */
export interface VolumeInfo {
  readonly kind: VolumeKind;
  /** What a guest sees. */
  readonly capacityBytes: bigint;
  /** What it takes of the pool; with `physical`, the size of the file or device. */
  readonly allocationBytes: bigint;
}

/** Ways to wipe, in the order of libvirt's numbers. */
export const WIPE_ALGORITHMS = [
  "zero",
  "nnsa",
  "dod",
  "bsi",
  "gutmann",
  "schneier",
  "pfitzner7",
  "pfitzner33",
  "random",
  "trim",
] as const;
/** A way to wipe; all but "zero" and "trim" need scrub on the server. */
export type WipeAlgorithm = (typeof WIPE_ALGORITHMS)[number];

/** How to resize a volume. */
export interface ResizeSettings {
  /** Take the space now. */
  readonly allocate?: boolean | undefined;
  /** The capacity is a difference. */
  readonly delta?: boolean | undefined;
  /** Without it a smaller capacity is refused: what lies beyond is lost. */
  readonly shrink?: boolean | undefined;
}

/** Which part of a volume a stream carries. The deadline is for opening it, a stream on which nothing moves has its own. */
export interface StreamSettings extends CallOptions {
  /** Gives it up, also when it is open: it ends in an error 78, and the server is told to stop. */
  readonly signal?: AbortSignal | undefined;
  /** Where it begins; default 0. */
  readonly offsetBytes?: bigint | undefined;
  /** 0: to the end. */
  readonly lengthBytes?: bigint | undefined;
  /** Holes are named instead of sent as zeros. */
  readonly sparse?: boolean | undefined;
}

const GET_PHYSICAL = 1;
const SPARSE_STREAM = 1;
/** Bits of STORAGE_VOL_RESIZE. */
const Resize = { ALLOCATE: 1, DELTA: 2, SHRINK: 4 } as const;
/** Bits of STORAGE_VOL_DELETE. */
const Delete = { ZEROED: 1, WITH_SNAPSHOTS: 2 } as const;

/** One volume, which the server finds by its pool's name and its own. */
export class Volume {
  readonly #connection: Caller;
  /** By which the server finds it. */
  readonly reference: VolumeReference;

  /** The same one over another connection; asks nothing. */
  constructor(connection: Caller, reference: VolumeReference) {
    this.#connection = connection;
    this.reference = reference;
  }

  /** Unique in its pool. */
  get name(): string {
    return this.reference.name;
  }

  /** As it was when the volume was found. */
  get poolName(): string {
    return this.reference.pool;
  }

  /** Unique among all volumes of a host; the path of file and block volumes. */
  get key(): string {
    return this.reference.key;
  }

  /** Its sizes now; the server looks at the storage. */
  async info(settings: { physical?: boolean } = {}, options?: CallOptions): Promise<VolumeInfo> {
    const args = { ...this.#self, flags: settings.physical === true ? GET_PHYSICAL : 0 };
    const { type, capacity, allocation } = await this.#connection.call(storage.storageVolGetInfoFlags, args, options);
    return { kind: VOLUME_KINDS[type] ?? "file", capacityBytes: capacity, allocationBytes: allocation };
  }

  /** The volume's document. */
  async xml(options?: CallOptions): Promise<string> {
    return (await this.#connection.call(storage.storageVolGetXmlDesc, { ...this.#self, flags: 0 }, options)).xml;
  }

  /** Where the host has it: of a file or device its path, of network volumes their name at the server. */
  async path(options?: CallOptions): Promise<string> {
    return (await this.#connection.call(storage.storageVolGetPath, this.#self, options)).name;
  }

  /** Removes the volume and what is in it; 55 while something else works on it. */
  async delete(settings: { zeroed?: boolean; withSnapshots?: boolean } = {}, options?: CallOptions): Promise<void> {
    const flags =
      (settings.zeroed === true ? Delete.ZEROED : 0) | (settings.withSnapshots === true ? Delete.WITH_SNAPSHOTS : 0);
    await this.#connection.call(storage.storageVolDelete, { ...this.#self, flags }, options);
  }

  /** Changes what a guest sees. */
  async resize(capacityBytes: bigint, settings: ResizeSettings = {}, options?: CallOptions): Promise<void> {
    const flags =
      (settings.allocate === true ? Resize.ALLOCATE : 0) |
      (settings.delta === true ? Resize.DELTA : 0) |
      (settings.shrink === true ? Resize.SHRINK : 0);
    await this.#connection.call(storage.storageVolResize, { ...this.#self, capacity: capacityBytes, flags }, options);
  }

  /** Makes its old content unreadable, as far as the storage below lets one. */
  async wipe(algorithm: WipeAlgorithm = "zero", options?: CallOptions): Promise<void> {
    const number = numberOf(WIPE_ALGORITHMS, algorithm, storage.storageVolWipePattern, "algorithm");
    await this.#connection.call(storage.storageVolWipePattern, { ...this.#self, algorithm: number, flags: 0 }, options);
  }

  /** The volume's bytes (and `Hole`s, if sparse). Resolves when the server has opened it. */
  async openDownload(settings: StreamSettings = {}): Promise<DownloadStream> {
    const sparse = settings.sparse === true;
    const port = await this.#connection.openStream(storage.storageVolDownload, this.#streamArgs(settings), settings);
    return boundTo(new DownloadStream(port, sparse), settings.signal, "The download");
  }

  /** Writes the volume's bytes in place (and `Hole`s, if sparse); finishes when the server has confirmed all of them. */
  async openUpload(settings: StreamSettings = {}): Promise<UploadStream> {
    const sparse = settings.sparse === true;
    const port = await this.#connection.openStream(storage.storageVolUpload, this.#streamArgs(settings), settings);
    return boundTo(new UploadStream(port, sparse), settings.signal, "The upload");
  }

  #streamArgs({ offsetBytes = 0n, lengthBytes = 0n, sparse = false }: StreamSettings) {
    return { ...this.#self, offset: offsetBytes, length: lengthBytes, flags: sparse ? SPARSE_STREAM : 0 };
  }

  get #self(): { readonly vol: VolumeReference } {
    return { vol: this.reference };
  }
}
