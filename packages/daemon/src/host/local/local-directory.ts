import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import * as fs from "node:fs/promises";
import { hostLimits } from "../../limits.js";
import { withDeadline } from "../deadline.js";
import { hostError, hostErrorFrom } from "../errors.js";
import type {
  CallOptions,
  Directory,
  File,
  FileFacts,
  Host,
  OpenRequest,
  ScannedEntry,
  ScanRequest,
  SpaceFacts,
} from "../host.js";
import { bytesOfName, bytesOfText, joinPath, textOfBytes, textOfLatin1 } from "../names.js";
import * as native from "../native.js";
import { Descriptor } from "./descriptor.js";
import { factsOfStats } from "./facts.js";
import { LocalFile } from "./local-file.js";
import { accessFlags, directoryFlags, safeFlags } from "./open-flags.js";
import type { Elsewhere, LocalServices } from "./services.js";

/**
 * An open directory. An entry is named `/proc/self/fd/N/name`: the kernel starts at the open directory itself, wherever it
 * is called now, as openat would (docs/decisions/0010-files-by-handle.md).
 */
export class LocalDirectory implements Directory {
  readonly #services: LocalServices;
  readonly path: string;
  readonly #descriptor: Descriptor;

  constructor(services: LocalServices, path: string, descriptor: Descriptor) {
    this.#services = services;
    this.path = path;
    this.#descriptor = descriptor;
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
      return factsOfStats(stats, label);
    });
  }

  space(options?: CallOptions): Promise<SpaceFacts> {
    return this.#call("Measuring", options, async (fd) => {
      const space = await native.space(fd);
      if (space !== null) return space;
      // For the reason.
      await fs.statfs(`/proc/self/fd/${fd}`);
      throw hostError("EIO", `The space of "${this.path}" cannot be told`);
    });
  }

  names(options?: CallOptions): Promise<string[]> {
    return this.#call("Listing", options, async (fd) => {
      // In batches: all names of a huge directory at once would hold up the event loop.
      const listing = await fs.opendir(`/proc/self/fd/${fd}/`, {
        encoding: "latin1",
        bufferSize: hostLimits.scanBatchEntries,
      });
      const names: string[] = [];
      for await (const entry of listing) names.push(textOfLatin1(entry.name));
      return names;
    });
  }

  scan(request: ScanRequest, options?: CallOptions): AsyncIterable<readonly ScannedEntry[]> {
    return this.#services.scan(this, request, options);
  }

  async lookup(name: string, options?: CallOptions & { readonly follow?: boolean }): Promise<FileFacts> {
    const follow = options?.follow ?? true;
    const found = await this.#entryCall("Looking at", name, options, async (path) => {
      // At the same time, since each is a trip to another thread; of a symlink itself the label does not count.
      const [stats, label] = await Promise.all([fs.lstat(path, { bigint: true }), native.labelOfEntry(path)]);
      if (!stats.isSymbolicLink()) return factsOfStats(stats, label);
      if (!follow) return factsOfStats(stats, null);
      const elsewhere = await this.#targetElsewhere(name);
      if (elsewhere !== null) return elsewhere;
      return factsOfStats(await fs.stat(path, { bigint: true }), await native.labelOfPath(path));
    });
    return "host" in found ? found.host.facts(found.path, options) : found;
  }

  readLink(name: string, options?: CallOptions): Promise<string> {
    return this.#entryCall("Reading", name, options, async (path) =>
      textOfBytes(await fs.readlink(path, { encoding: "buffer" })),
    );
  }

  async open(name: string, request: OpenRequest, options?: CallOptions): Promise<File> {
    const opened = await this.#entryCall(
      "Opening",
      name,
      options,
      async (path) => {
        if (request.create !== undefined) return await this.#create(name, path, request);
        const flags = accessFlags[request.access] | safeFlags;
        const handle = await fs.open(path, flags | constants.O_NOFOLLOW).catch(async (failure: unknown) => {
          if (hostErrorFrom(failure).code !== "ELOOP" || request.follow === false) throw failure;
          return (await this.#targetElsewhere(name)) ?? (await fs.open(path, flags));
        });
        return "host" in handle ? handle : new LocalFile(this.#services, joinPath(this.path, name), handle);
      },
      (late) => {
        if (late instanceof LocalFile) void late.close();
      },
    );
    return opened instanceof LocalFile ? opened : opened.host.openFile(opened.path, request.access, options);
  }

  openDirectory(name: string, options?: CallOptions): Promise<Directory> {
    return this.#entryCall(
      "Opening",
      name,
      options,
      async (path) => {
        const handle = await fs.open(path, directoryFlags | constants.O_NOFOLLOW);
        return new LocalDirectory(this.#services, joinPath(this.path, name), new Descriptor(handle));
      },
      (late) => void late.close(),
    );
  }

  makeDirectory(name: string, mode: number, options?: CallOptions): Promise<void> {
    return this.#entryCall("Making", name, options, (path) => makeDirectoryWithMode(path, mode));
  }

  removeFile(name: string, options?: CallOptions): Promise<void> {
    return this.#entryCall("Removing", name, options, (path) => fs.unlink(path));
  }

  removeDirectory(name: string, options?: CallOptions): Promise<void> {
    return this.#entryCall("Removing", name, options, (path) => fs.rmdir(path));
  }

  rename(from: string, to: string, options?: CallOptions): Promise<void> {
    return this.#entryCall("Renaming", from, options, (path, fd) => fs.rename(path, entryPath(fd, to)));
  }

  symlink(name: string, content: string, options?: CallOptions): Promise<void> {
    return this.#entryCall("Linking", name, options, (path) => fs.symlink(bytesOfText(content), path));
  }

  readFile(name: string, limitBytes: number, options?: CallOptions): Promise<Uint8Array> {
    return this.#entryCall("Reading", name, options, async (path) => {
      const handle = await fs.open(path, accessFlags.read | safeFlags);
      try {
        const { size } = await handle.stat();
        const buffer = Buffer.allocUnsafe(Math.min(size, limitBytes) + 1);
        let length = 0;
        while (length < buffer.length) {
          const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
          if (bytesRead === 0) break;
          length += bytesRead;
        }
        if (length > limitBytes)
          throw hostError("EFBIG", `"${joinPath(this.path, name)}" is longer than ${limitBytes} bytes`);
        // It grew while it was read: half a file is no content.
        if (length === buffer.length) throw hostError("EAGAIN", `"${joinPath(this.path, name)}" is being written`);
        return buffer.subarray(0, length);
      } finally {
        await handle.close();
      }
    });
  }

  writeFileAtomically(name: string, content: Uint8Array, mode: number, options?: CallOptions): Promise<void> {
    const slow = { timeoutMs: hostLimits.localSlowCallMs, ...options };
    return this.#entryCall("Writing", name, slow, async (path, fd, directory) => {
      const temporary = entryPath(fd, temporaryName());
      const handle = await fs.open(temporary, accessFlags.write | exclusiveFlags, 0o600);
      try {
        try {
          await handle.writeFile(content);
          await handle.chmod(mode);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await fs.rename(temporary, path);
      } catch (failure) {
        await fs.unlink(temporary).catch(() => undefined);
        throw failure;
      }
      await directory.sync();
    });
  }

  sync(options?: CallOptions): Promise<void> {
    const slow = { timeoutMs: hostLimits.localSlowCallMs, ...options };
    return this.#call("Flushing", slow, (_, handle) => handle.sync());
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

  close(): Promise<void> {
    const closed = this.#descriptor.close().catch((thrown: unknown) => {
      throw hostErrorFrom(thrown);
    });
    return withDeadline(`Closing "${this.path}"`, closed, hostLimits.localCallMs, undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #create(name: string, path: Buffer, request: OpenRequest): Promise<LocalFile> {
    const mode = request.mode ?? 0o600;
    const handle = await fs.open(path, accessFlags[request.access] | exclusiveFlags, mode & 0o600);
    try {
      await handle.chmod(mode);
    } catch (failure) {
      await handle.close();
      await fs.unlink(path).catch(() => undefined);
      throw failure;
    }
    return new LocalFile(this.#services, joinPath(this.path, name), handle);
  }

  /** Where the path belongs, when that is not here. */
  elsewhere(path: string): Promise<Elsewhere | null> {
    return this.#services.elsewhere(path);
  }

  /** The home of what a symlink leads to, when that is not here. Asks from where the directory is now. */
  async #targetElsewhere(name: string): Promise<Elsewhere | null> {
    const now = await this.#descriptor.use((fd) => fs.readlink(`/proc/self/fd/${fd}`, { encoding: "buffer" }));
    return this.elsewhere(joinPath(textOfBytes(now), name));
  }

  #entryCall<T>(
    doing: string,
    name: string,
    options: CallOptions | undefined,
    call: (path: Buffer, fd: number, handle: fs.FileHandle) => Promise<T>,
    late?: (result: T) => void,
  ): Promise<T> {
    return this.#call(doing, options, (fd, handle) => call(entryPath(fd, name), fd, handle), late, name);
  }

  #call<T>(
    doing: string,
    options: CallOptions | undefined,
    call: (fd: number, handle: fs.FileHandle) => Promise<T>,
    late?: (result: T) => void,
    name?: string,
  ): Promise<T> {
    const result = this.#descriptor.use(call).catch((thrown: unknown) => {
      throw hostErrorFrom(thrown);
    });
    const path = name === undefined ? this.path : joinPath(this.path, name);
    return withDeadline(`${doing} "${path}"`, result, hostLimits.localCallMs, options, late);
  }
}

const exclusiveFlags = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_NOCTTY;

function entryPath(fd: number, name: string): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), bytesOfName(name)]);
}

const temporaryPrefix = ".cistern-new-";

function temporaryName(): string {
  return temporaryPrefix + randomBytes(8).toString("hex");
}

/** Whether an entry is what a `writeFileAtomically` left behind that a power cut ended. */
export function isLeftoverOfAtomicWrite(name: string): boolean {
  return name.startsWith(temporaryPrefix) && name.length === temporaryPrefix.length + 16;
}

/** mkdir with exactly `mode`: the umask takes bits away, so they are set again on the directory that was made. */
export async function makeDirectoryWithMode(path: Buffer, mode: number): Promise<void> {
  await fs.mkdir(path, mode & 0o700);
  const handle = await fs.open(path, directoryFlags | constants.O_NOFOLLOW);
  try {
    const stats = await handle.stat();
    // Somebody who may rename here could have put a directory of his own, or another's, in the place of the new one.
    if (process.geteuid !== undefined && stats.uid !== process.geteuid())
      throw hostError("EPERM", "The new directory was replaced");
    await handle.chmod(mode);
  } finally {
    await handle.close();
  }
}
