import { hostError } from "../errors.js";
import type {
  AllocateOptions,
  BulkOptions,
  ByteRange,
  CallOptions,
  CopiedRange,
  CopyOptions,
  File,
  FileFacts,
  StorageTraits,
  WipePattern,
} from "../host.js";
import { copyBlock } from "../local/bulk.js";
import type { FileResults, HandleLocation } from "./messages.js";
import type { RemoteChild } from "./remote-child.js";
import type { RemoteHome } from "./remote-home.js";

/** A file that a child process has open. It is dead (ESTALE) once that child is. */
export class RemoteFile implements File {
  readonly host: RemoteHome;
  readonly child: RemoteChild;
  readonly handle: number;
  readonly path: string;
  #closed: Promise<void> | null = null;

  constructor(host: RemoteHome, child: RemoteChild, handle: number, path: string) {
    this.host = host;
    this.child = child;
    this.handle = handle;
    this.path = path;
    child.adopted();
  }

  facts(options?: CallOptions): Promise<FileFacts> {
    return this.#call("facts", "Looking at", [], options);
  }

  sizeBytes(options?: CallOptions): Promise<bigint> {
    return this.#call("sizeBytes", "Looking at", [], options);
  }

  checkOffset(offsetBytes: bigint, options?: CallOptions): Promise<void> {
    return this.#call("checkOffset", "Seeking in", [offsetBytes], options);
  }

  read(offsetBytes: bigint, lengthBytes: number, options?: CallOptions): Promise<Uint8Array> {
    return this.#call("read", "Reading", [offsetBytes, lengthBytes], options);
  }

  write(offsetBytes: bigint, bytes: Uint8Array, options?: CallOptions): Promise<void> {
    return this.#call("write", "Writing", [offsetBytes, bytes], options);
  }

  truncate(sizeBytes: bigint, options?: CallOptions): Promise<void> {
    return this.#call("truncate", "Truncating", [sizeBytes], options);
  }

  allocate(offsetBytes: bigint, lengthBytes: bigint, options?: AllocateOptions): Promise<void> {
    const further = { keepSize: options?.keepSize ?? false };
    return this.#slowCall("allocate", "Allocating", [offsetBytes, lengthBytes, further], options);
  }

  zero(offsetBytes: bigint, lengthBytes: bigint, options?: CallOptions & BulkOptions): Promise<void> {
    return this.#slowCall("zero", "Zeroing", [offsetBytes, lengthBytes], options);
  }

  overwriteWithZeros(offsetBytes: bigint, lengthBytes: bigint, options?: BulkOptions): Promise<void> {
    return this.#slowCall("overwriteWithZeros", "Overwriting", [offsetBytes, lengthBytes], options);
  }

  seekData(offsetBytes: bigint, options?: CallOptions): Promise<bigint | null> {
    return this.#call("seekData", "Searching", [offsetBytes], options);
  }

  seekHole(offsetBytes: bigint, options?: CallOptions): Promise<bigint> {
    return this.#call("seekHole", "Searching", [offsetBytes], options);
  }

  async cloneFrom(source: File, options?: CallOptions): Promise<void> {
    // Blocks can only be shared within one file system, whose files all have the same home.
    if (!this.#sharesChildWith(source))
      throw hostError("EXDEV", `"${this.path}" cannot share blocks with "${source.path}"`);
    await this.#slowCall("cloneFrom", "Cloning into", [source.handle], options);
  }

  /** Within one child, the content does not pass through the daemon. */
  async copyRange(
    source: File,
    sourceOffset: bigint,
    targetOffset: bigint,
    lengthBytes: bigint,
    options?: CopyOptions,
  ): Promise<CopiedRange> {
    if (!this.#sharesChildWith(source))
      return copyBlock(source, this, sourceOffset, targetOffset, lengthBytes, options);
    const args = [source.handle, sourceOffset, targetOffset, lengthBytes, options?.mayShare ?? true];
    return this.#slowCall("copyRange", "Copying to", args, options);
  }

  overwrite(offsetBytes: bigint, lengthBytes: bigint, pattern: WipePattern, options?: CallOptions): Promise<void> {
    return this.#slowCall("overwrite", "Overwriting", [offsetBytes, lengthBytes, pattern], options);
  }

  discard(offsetBytes: bigint, lengthBytes: bigint, options?: CallOptions): Promise<void> {
    return this.#slowCall("discard", "Discarding in", [offsetBytes, lengthBytes], options);
  }

  discardUnwritten(offsetBytes: bigint, lengthBytes: bigint, options?: CallOptions): Promise<void> {
    return this.#slowCall("discardUnwritten", "Discarding in", [offsetBytes, lengthBytes], options);
  }

  sync(options?: CallOptions): Promise<void> {
    return this.#slowCall("sync", "Flushing", [], options);
  }

  syncData(options?: CallOptions): Promise<void> {
    return this.#slowCall("syncData", "Flushing", [], options);
  }

  async startWriteback(offsetBytes: bigint, lengthBytes: bigint): Promise<void> {
    await this.#slowCall("startWriteback", "Flushing", [offsetBytes, lengthBytes], undefined).catch(() => undefined);
  }

  setLabel(label: string, options?: CallOptions): Promise<void> {
    return this.#call("setLabel", "Labelling", [label], options);
  }

  dataFrom(offsetBytes: bigint, options?: CallOptions): Promise<readonly ByteRange[]> {
    return this.#slowCall("dataFrom", "Searching", [offsetBytes], options);
  }

  blocksFrom(offsetBytes: bigint, options?: CallOptions): Promise<readonly ByteRange[] | null> {
    return this.#slowCall("blocksFrom", "Looking at", [offsetBytes], options);
  }

  storageTraits(options?: CallOptions): Promise<StorageTraits> {
    return this.#slowCall("storageTraits", "Looking at", [], options);
  }

  changeMode(mode: number, options?: CallOptions): Promise<void> {
    return this.#call("changeMode", "Changing the mode of", [mode], options);
  }

  changeOwner(owner: number, group: number, options?: CallOptions): Promise<void> {
    return this.#call("changeOwner", "Changing the owner of", [owner, group], options);
  }

  setNoCopyOnWrite(value: boolean, options?: CallOptions): Promise<void> {
    return this.#call("setNoCopyOnWrite", "Changing the flags of", [value], options);
  }

  /** For a command that another process runs. */
  location(): Promise<HandleLocation> {
    return this.#call("location", "Looking at", [], undefined);
  }

  close(): Promise<void> {
    this.#closed ??= this.child.closeHandle(this.handle).then(() => undefined);
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #sharesChildWith(source: File): source is RemoteFile {
    return source instanceof RemoteFile && source.child === this.child;
  }

  async #call<Method extends keyof FileResults>(
    method: Method,
    doing: string,
    args: readonly unknown[],
    options: (CallOptions & BulkOptions) | undefined,
  ): Promise<FileResults[Method]> {
    if (this.#closed !== null) throw hostError("EBADF", `"${this.path}" was closed`);
    const call = {
      target: this.handle,
      method,
      args,
      what: `${doing} "${this.path}"`,
      timeoutMs: options?.timeoutMs ?? this.host.callMs,
      signal: options?.signal,
      progress: options?.progress,
    };
    // The child serves the method of this name, and answers as it does.
    return (await this.child.call(call)) as FileResults[Method];
  }

  #slowCall<Method extends keyof FileResults>(
    method: Method,
    doing: string,
    args: readonly unknown[],
    options: (CallOptions & BulkOptions) | undefined,
  ): Promise<FileResults[Method]> {
    return this.#call(method, doing, args, { timeoutMs: this.host.slowCallMs, ...options });
  }
}
