import { read as readWithCallback } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { promisify } from "node:util";
import { hostLimits } from "../../limits.js";
import { withDeadline } from "../deadline.js";
import { type ErrorCode, hostError, hostErrorFrom, hostErrorOfErrno } from "../errors.js";
import type { BulkOptions, CallOptions, File, FileFacts, Host } from "../host.js";
import * as native from "../native.js";
import { copyBetween, overwriteWithZeros } from "./bulk.js";
import { Descriptor } from "./descriptor.js";
import { factsOfStats } from "./facts.js";
import type { LocalServices } from "./services.js";

/** Takes a bigint position (Node's types lag behind), which `FileHandle.read` would silently ignore on Node 20. */
const readAt = promisify(readWithCallback) as (
  fd: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: bigint,
) => Promise<{ bytesRead: number }>;

export class LocalFile implements File {
  readonly #services: LocalServices;
  readonly path: string;
  readonly #descriptor: Descriptor;

  constructor(services: LocalServices, path: string, handle: FileHandle) {
    this.#services = services;
    this.path = path;
    this.#descriptor = new Descriptor(handle);
  }

  get host(): Host {
    return this.#services.host;
  }

  /** Keeps the descriptor open until `release`. */
  hold(): { readonly fd: number; readonly release: () => void } {
    return this.#descriptor.hold();
  }

  facts(options?: CallOptions): Promise<FileFacts> {
    return this.#call("Looking at", options, async (fd, handle) => {
      const [stats, label] = await Promise.all([handle.stat({ bigint: true }), native.label(fd)]);
      const facts = factsOfStats(stats, label);
      return facts.kind === "block" ? { ...facts, sizeBytes: native.sizeSync(fd) ?? 0n } : facts;
    });
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

  read(offsetBytes: bigint, lengthBytes: number, options?: CallOptions): Promise<Uint8Array> {
    return this.#call("Reading", options, async (fd) => {
      const buffer = Buffer.allocUnsafe(lengthBytes);
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
    return this.#call("Writing", options, async (_, handle) => {
      // Node takes positions of writes as doubles.
      const offset = exactNumber(offsetBytes + BigInt(bytes.length), "EFBIG", this.path) - bytes.length;
      let length = 0;
      while (length < bytes.length) {
        length += (await handle.write(bytes, length, bytes.length - length, offset + length)).bytesWritten;
      }
    });
  }

  truncate(sizeBytes: bigint, options?: CallOptions): Promise<void> {
    return this.#call("Truncating", options, async (fd, handle) => {
      if (sizeBytes < 0n) throw hostError("EINVAL", `"${this.path}" cannot have ${sizeBytes} bytes`);
      if (sizeBytes <= Number.MAX_SAFE_INTEGER) await handle.truncate(Number(sizeBytes));
      else
        await this.#services.nativeThread.perform(`"${this.path}" cannot be truncated`, {
          call: "truncate",
          fd,
          sizeBytes,
        });
    });
  }

  async allocate(offsetBytes: bigint, lengthBytes: bigint, options?: CallOptions & BulkOptions): Promise<void> {
    for (let done = 0n; done < lengthBytes; done += hostLimits.allocateStepBytes) {
      const step =
        lengthBytes - done < hostLimits.allocateStepBytes ? lengthBytes - done : hostLimits.allocateStepBytes;
      await this.#slowCall("Allocating", options, async (fd) => {
        const errno = await native.allocate(fd, offsetBytes + done, step);
        if (errno !== 0) throw hostErrorOfErrno(errno, `"${this.path}" cannot be allocated`);
      });
      options?.progress?.(done + step, lengthBytes);
    }
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
    await this.#slowCall("Cloning into", options, async (target) => {
      const held = source.hold();
      const what = `"${source.path}" cannot be cloned to "${this.path}"`;
      await this.#services.nativeThread.perform(what, { call: "clone", target, source: held.fd }).finally(held.release);
    });
  }

  copyFrom(source: File, lengthBytes: bigint, options?: BulkOptions & { readonly sparse?: boolean }): Promise<void> {
    return copyBetween(source, this, lengthBytes, options);
  }

  sync(options?: CallOptions): Promise<void> {
    return this.#slowCall("Flushing", options, (_, handle) => handle.sync());
  }

  changeMode(mode: number, options?: CallOptions): Promise<void> {
    return this.#call("Changing the mode of", options, (_, handle) => handle.chmod(mode));
  }

  changeOwner(owner: number, group: number, options?: CallOptions): Promise<void> {
    return this.#call("Changing the owner of", options, (_, handle) => handle.chown(owner, group));
  }

  setNoCopyOnWrite(value: boolean, options?: CallOptions): Promise<void> {
    return this.#call("Changing the flags of", options, (fd) =>
      this.#services.nativeThread.perform(`The flags of "${this.path}" cannot be changed`, {
        call: "setNoCopyOnWrite",
        fd,
        value,
      }),
    );
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

  #call<T>(
    doing: string,
    options: CallOptions | undefined,
    call: (fd: number, handle: FileHandle) => Promise<T>,
    timeoutMs: number = hostLimits.localCallMs,
  ): Promise<T> {
    const result = this.#descriptor.use(call).catch((thrown: unknown) => {
      throw hostErrorFrom(thrown);
    });
    return withDeadline(`${doing} "${this.path}"`, result, timeoutMs, options);
  }

  #slowCall<T>(
    doing: string,
    options: CallOptions | undefined,
    call: (fd: number, handle: FileHandle) => Promise<T>,
  ): Promise<T> {
    return this.#call(doing, options, call, hostLimits.localSlowCallMs);
  }
}

function exactNumber(value: bigint, code: ErrorCode, path: string): number {
  if (value < 0n || value > Number.MAX_SAFE_INTEGER) throw hostError(code, `"${path}" cannot be written that far`);
  return Number(value);
}
