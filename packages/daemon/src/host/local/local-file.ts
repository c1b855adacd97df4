import { read as readWithCallback, write as writeWithCallback } from "node:fs";
import { promisify } from "node:util";
import { hostLimits } from "../../limits.js";
import { withDeadline } from "../deadline.js";
import { type ErrorCode, hostError, hostErrorFrom, hostErrorOfErrno } from "../errors.js";
import type {
  AllocateOptions,
  BulkOptions,
  ByteRange,
  CallOptions,
  CopiedRange,
  CopyOptions,
  File,
  FileFacts,
  Host,
  ReadOptions,
  StorageTraits,
  WipePattern,
} from "../host.js";
import * as native from "../native.js";
import { copyBlock, overwriteWithZeros } from "./bulk.js";
import { type Descriptor, ownDescriptor } from "./descriptor.js";
import type { NativeArguments, NativeCallName, NativeResult } from "./native-calls.js";
import type { LocalServices } from "./services.js";

/** Takes a bigint position; Node's types lag behind. */
const readAt = promisify(readWithCallback) as (
  fd: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: bigint,
) => Promise<{ bytesRead: number }>;

const writeAt = promisify(writeWithCallback) as (
  fd: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
) => Promise<{ bytesWritten: number }>;

export class LocalFile implements File {
  readonly #services: LocalServices;
  readonly path: string;
  readonly #descriptor: Descriptor;

  constructor(services: LocalServices, path: string, fd: number) {
    this.#services = services;
    this.path = path;
    this.#descriptor = ownDescriptor(fd, services.lanes);
  }

  get host(): Host {
    return this.#services.host;
  }

  /** Keeps the descriptor open until `release`. */
  hold(): { readonly fd: number; readonly release: () => void } {
    return this.#descriptor.hold();
  }

  facts(options?: CallOptions): Promise<FileFacts> {
    return this.#quick("Looking at", options, "factsOfOpen", (fd) => ({ fd }));
  }

  sizeBytes(options?: CallOptions): Promise<bigint> {
    return this.#call("Looking at", options, async (fd) => {
      const size = native.sizeSync(fd);
      if (size === null) throw hostError("ESPIPE", `"${this.path}" has no size`);
      return size;
    });
  }

  checkOffset(offsetBytes: bigint, options?: CallOptions): Promise<void> {
    return this.#call("Seeking in", options, async (fd) => {
      const errno = native.checkOffsetSync(fd, offsetBytes);
      if (errno !== 0) throw hostErrorOfErrno(errno, `"${this.path}" has no offset ${offsetBytes}`);
    });
  }

  read(offsetBytes: bigint, lengthBytes: number, options?: ReadOptions): Promise<Uint8Array> {
    return this.#call("Reading", options, async (fd) => {
      const buffer = options?.into ?? Buffer.allocUnsafe(lengthBytes);
      let length = 0;
      while (length < lengthBytes) {
        const { bytesRead } = await readAt(fd, buffer, length, lengthBytes - length, offsetBytes + BigInt(length));
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      return buffer.subarray(0, length);
    });
  }

  write(offsetBytes: bigint, bytes: Uint8Array, options?: CallOptions): Promise<void> {
    return this.#call("Writing", options, async (fd) => {
      // Node takes positions of writes as doubles.
      const offset = exactNumber(offsetBytes + BigInt(bytes.length), "EFBIG", this.path) - bytes.length;
      let length = 0;
      while (length < bytes.length) {
        length += (await writeAt(fd, bytes, length, bytes.length - length, offset + length)).bytesWritten;
      }
    });
  }

  async truncate(sizeBytes: bigint, options?: CallOptions): Promise<void> {
    if (sizeBytes < 0n) throw hostError("EINVAL", `"${this.path}" cannot have ${sizeBytes} bytes`);
    await this.#bulk("Truncating", options, "truncate", (fd) => ({ fd, sizeBytes }));
  }

  async allocate(offsetBytes: bigint, lengthBytes: bigint, options?: AllocateOptions): Promise<void> {
    const keepSize = options?.keepSize ?? false;
    await this.#bulk("Allocating", options, "allocate", (fd) => ({ fd, offsetBytes, lengthBytes, keepSize }));
  }

  async zero(offsetBytes: bigint, lengthBytes: bigint, options?: CallOptions & BulkOptions): Promise<void> {
    const size = await this.sizeBytes(options);
    const end = offsetBytes + lengthBytes < size ? offsetBytes + lengthBytes : size;
    const length = end - offsetBytes;
    if (length <= 0n) return;
    const done = await this.#slowCall("Zeroing", options, async (fd) => {
      return (await native.punchHole(fd, offsetBytes, length)) || (await native.zeroRange(fd, offsetBytes, length));
    });
    if (!done) await this.overwriteWithZeros(offsetBytes, length, options);
  }

  overwriteWithZeros(offsetBytes: bigint, lengthBytes: bigint, options?: BulkOptions): Promise<void> {
    return overwriteWithZeros(this, offsetBytes, lengthBytes, options);
  }

  /** The call's failure may mean "no data after here" or "cannot tell"; asking for the next hole tells them apart. */
  async seekData(offsetBytes: bigint, options?: CallOptions): Promise<bigint | null> {
    return this.#call("Searching", options, async (fd) => {
      const size = native.sizeSync(fd) ?? 0n;
      if (offsetBytes >= size) return null;
      const data = await native.seekData(fd, offsetBytes);
      if (data !== null) return data;
      return (await native.seekHole(fd, offsetBytes)) === offsetBytes ? null : offsetBytes;
    });
  }

  async seekHole(offsetBytes: bigint, options?: CallOptions): Promise<bigint> {
    return this.#call("Searching", options, async (fd) => {
      const size = native.sizeSync(fd) ?? 0n;
      if (offsetBytes >= size) return size;
      return (await native.seekHole(fd, offsetBytes)) ?? size;
    });
  }

  async cloneFrom(source: File, options?: CallOptions): Promise<void> {
    // Blocks can only be shared within one file system, and this one's home is not the source's.
    if (!(source instanceof LocalFile))
      throw hostError("EXDEV", `"${this.path}" cannot share blocks with "${source.path}"`);
    await this.#bulkWith(source, "Cloning into", options, "clone", (target, from) => ({ target, source: from }));
  }

  copyRange(
    source: File,
    sourceOffset: bigint,
    targetOffset: bigint,
    lengthBytes: bigint,
    options?: CopyOptions,
  ): Promise<CopiedRange> {
    const mayShare = options?.mayShare ?? true;
    if (!(source instanceof LocalFile))
      return copyBlock(source, this, sourceOffset, targetOffset, lengthBytes, options);
    return this.#bulkWith(source, "Copying to", options, "copyRange", (target, from) => ({
      source: from,
      sourceOffset,
      target,
      targetOffset,
      lengthBytes,
      mayShare,
    }));
  }

  overwrite(offsetBytes: bigint, lengthBytes: bigint, pattern: WipePattern, options?: CallOptions): Promise<void> {
    return this.#bulk("Overwriting", options, "overwrite", (fd) => ({ fd, offsetBytes, lengthBytes, pattern }));
  }

  discard(offsetBytes: bigint, lengthBytes: bigint, options?: CallOptions): Promise<void> {
    return this.#bulk("Discarding in", options, "discard", (fd) => ({ fd, offsetBytes, lengthBytes }));
  }

  discardUnwritten(offsetBytes: bigint, lengthBytes: bigint, options?: CallOptions): Promise<void> {
    return this.#bulk("Discarding in", options, "discardUnwritten", (fd) => ({ fd, offsetBytes, lengthBytes }));
  }

  sync(options?: CallOptions): Promise<void> {
    return this.#bulk("Flushing", options, "sync", (fd) => ({ fd }));
  }

  syncData(options?: CallOptions): Promise<void> {
    return this.#bulk("Flushing", options, "syncData", (fd) => ({ fd }));
  }

  async startWriteback(offsetBytes: bigint, lengthBytes: bigint): Promise<void> {
    const started = this.#bulk("Flushing", undefined, "startWriteback", (fd) => ({ fd, offsetBytes, lengthBytes }));
    await started.catch(() => undefined);
  }

  setLabel(label: string, options?: CallOptions): Promise<void> {
    return this.#quick("Labelling", options, "setLabel", (fd) => ({ fd, label }));
  }

  dataFrom(offsetBytes: bigint, options?: CallOptions): Promise<readonly ByteRange[]> {
    return this.#bulk("Searching", options, "dataFrom", (fd) => ({ fd, offsetBytes }));
  }

  blocksFrom(offsetBytes: bigint, options?: CallOptions): Promise<readonly ByteRange[] | null> {
    return this.#bulk("Looking at", options, "blocksFrom", (fd) => ({ fd, offsetBytes }));
  }

  storageTraits(options?: CallOptions): Promise<StorageTraits> {
    return this.#bulk("Looking at", options, "storageTraits", (fd) => ({ fd }));
  }

  changeMode(mode: number, options?: CallOptions): Promise<void> {
    return this.#quick("Changing the mode of", options, "changeMode", (fd) => ({ fd, mode }));
  }

  changeOwner(owner: number, group: number, options?: CallOptions): Promise<void> {
    return this.#quick("Changing the owner of", options, "changeOwner", (fd) => ({ fd, owner, group }));
  }

  setNoCopyOnWrite(value: boolean, options?: CallOptions): Promise<void> {
    return this.#quick("Changing the flags of", options, "setNoCopyOnWrite", (fd) => ({ fd, value }));
  }

  /** Rejects with what the file system reports only now (NFS: ENOSPC, EDQUOT). */
  close(): Promise<void> {
    const closed = this.#descriptor.close().catch((thrown: unknown) => {
      throw hostErrorFrom(thrown);
    });
    return withDeadline(`Closing "${this.path}"`, closed, hostLimits.localSlowCallMs, undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #quick<Name extends NativeCallName>(
    doing: string,
    options: CallOptions | undefined,
    call: Name,
    args: (fd: number) => NativeArguments<Name>,
  ): Promise<NativeResult<Name>> {
    const { quick } = this.#services.lanes;
    const what = `${doing} "${this.path}" failed`;
    return this.#call(doing, options, (fd) => quick.perform(call, args(fd), what, options?.signal));
  }

  #bulk<Name extends NativeCallName>(
    doing: string,
    options: CallOptions | undefined,
    call: Name,
    args: (fd: number) => NativeArguments<Name>,
  ): Promise<NativeResult<Name>> {
    const { bulk } = this.#services.lanes;
    const what = `${doing} "${this.path}" failed`;
    return this.#slowCall(doing, options, (fd) => bulk.perform(call, args(fd), what, options?.signal));
  }

  /** A call that needs another file as well, which stays open as long as this one. */
  #bulkWith<Name extends NativeCallName>(
    source: LocalFile,
    doing: string,
    options: CallOptions | undefined,
    call: Name,
    args: (fd: number, source: number) => NativeArguments<Name>,
  ): Promise<NativeResult<Name>> {
    const { bulk } = this.#services.lanes;
    const what = `${doing} "${this.path}" failed`;
    return this.#slowCall(doing, options, (fd) =>
      source.#descriptor.use((from) => bulk.perform(call, args(fd, from), what, options?.signal)),
    );
  }

  #call<T>(
    doing: string,
    options: CallOptions | undefined,
    call: (fd: number) => Promise<T>,
    timeoutMs: number = hostLimits.localCallMs,
  ): Promise<T> {
    const result = this.#descriptor.use(call).catch((thrown: unknown) => {
      throw hostErrorFrom(thrown);
    });
    return withDeadline(`${doing} "${this.path}"`, result, timeoutMs, options);
  }

  #slowCall<T>(doing: string, options: CallOptions | undefined, call: (fd: number) => Promise<T>): Promise<T> {
    return this.#call(doing, options, call, hostLimits.localSlowCallMs);
  }
}

function exactNumber(value: bigint, code: ErrorCode, path: string): number {
  if (value < 0n || value > Number.MAX_SAFE_INTEGER) throw hostError(code, `"${path}" cannot be written that far`);
  return Number(value);
}
