import { constants } from "node:fs";
import * as fs from "node:fs/promises";
import { hostLimits } from "../../limits.js";
import { withDeadline } from "../deadline.js";
import { hostError, hostErrorFrom } from "../errors.js";
import type {
  CallOptions,
  ContentPiece,
  Directory,
  DirectoryIdentity,
  EntryLook,
  File,
  FileFacts,
  Host,
  NameWatch,
  NewFileRequest,
  OpenRequest,
  PublishOptions,
  ScannedEntry,
  ScanRequest,
  SpaceFacts,
} from "../host.js";
import { bytesOfName, bytesOfText, joinPath, textOfBytes, textOfLatin1 } from "../names.js";
import * as native from "../native.js";
import { atomicWriteName } from "../temporary-names.js";
import { closeDescriptor, ownDescriptor } from "./descriptor.js";
import { DirectoryHandle } from "./directory-handle.js";
import { keptClusters } from "./kept-space.js";
import { LocalFile } from "./local-file.js";
import type { NativeArguments, NativeCallName, NativeResult } from "./native-calls.js";
import type { NewFile } from "./native-new-file-calls.js";
import { accessFlags, directoryFlags, safeFlags } from "./open-flags.js";
import type { OpenedDirectory } from "./remembered-directories.js";
import type { Elsewhere, LocalServices } from "./services.js";

/**
 * An open directory. An entry is named `/proc/self/fd/N/name`: the kernel starts at the open directory itself, wherever it
 * is called now, as openat would (docs/decisions/0010-files-by-handle.md).
 */
export class LocalDirectory implements Directory {
  readonly #services: LocalServices;
  readonly path: string;
  readonly #handle: DirectoryHandle;

  constructor(services: LocalServices, path: string, opened: OpenedDirectory) {
    this.#services = services;
    this.path = path;
    this.#handle = new DirectoryHandle(services, path, opened);
  }

  get host(): Host {
    return this.#services.host;
  }

  hold(): { readonly fd: number; readonly release: () => void } {
    return this.#handle.hold();
  }

  facts(options?: CallOptions): Promise<FileFacts> {
    return this.#native("Looking at", options, "factsOfOpen", (fd) => ({ fd }));
  }

  identity(options?: CallOptions): Promise<DirectoryIdentity> {
    return this.#within("Looking at", options, this.#handle.identity());
  }

  insist(identity: DirectoryIdentity, options?: CallOptions): Promise<void> {
    return this.#within("Looking at", options, this.#handle.insist(identity));
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

  async keptBytes(options?: CallOptions): Promise<bigint> {
    const { device } = await this.facts(options);
    const clusters = await this.#within("Measuring", options, keptClusters(device));
    if (clusters === 0n) return 0n;
    // Where a cluster is several blocks, ext4 does not say of how many: this is the least.
    const { bsize } = await this.#call("Measuring", options, (fd) => fs.statfs(`/proc/self/fd/${fd}`));
    return clusters * BigInt(bsize);
  }

  fileSystem(options?: CallOptions): Promise<string> {
    return this.#native("Looking at", options, "fileSystem", (fd) => ({ fd }));
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

  watch(options?: CallOptions): Promise<NameWatch | null> {
    return this.#call("Watching", options, async (fd) => this.#services.watches.watch(fd));
  }

  async lookup(name: string, options?: CallOptions & { readonly follow?: boolean }): Promise<FileFacts> {
    const follow = options?.follow ?? true;
    const seen = await this.#entryFacts(name, false, options);
    if (!follow || seen.kind !== "symlink") return seen;
    const elsewhere = await this.#targetElsewhere(name, options);
    return elsewhere === null ? this.#entryFacts(name, true, options) : elsewhere.host.facts(elsewhere.path, options);
  }

  async look(
    name: string,
    headBytes: number,
    options?: CallOptions & { readonly follow?: boolean },
  ): Promise<EntryLook> {
    if (headBytes > hostLimits.scanBytesPerEntry)
      throw hostError("E2BIG", `A look at "${joinPath(this.path, name)}" cannot read ${headBytes} bytes`);
    try {
      return await this.#look(name, headBytes, false, options);
    } catch (failure) {
      if (hostErrorFrom(failure).code !== "ELOOP" || options?.follow !== true) throw failure;
      const elsewhere = await this.#targetElsewhere(name, options);
      return elsewhere === null
        ? await this.#look(name, headBytes, true, options)
        : await lookThrough(elsewhere, headBytes, options);
    }
  }

  readLink(name: string, options?: CallOptions): Promise<string> {
    return this.#entryCall("Reading", name, options, async (path) =>
      textOfBytes(await fs.readlink(path, { encoding: "buffer" })),
    );
  }

  async open(name: string, request: OpenRequest, options?: CallOptions): Promise<File> {
    const flags = accessFlags[request.access];
    if (request.create !== undefined)
      return this.#create(name, { ...ownedByDaemon, flags, mode: request.mode ?? 0o600 }, options);
    try {
      return await this.#open(name, flags | safeFlags | constants.O_NOFOLLOW, options);
    } catch (failure) {
      if (hostErrorFrom(failure).code !== "ELOOP" || request.follow === false) throw failure;
      const elsewhere = await this.#targetElsewhere(name, options);
      return elsewhere === null
        ? await this.#open(name, flags | safeFlags, options)
        : await elsewhere.host.openFile(elsewhere.path, request.access, options);
    }
  }

  createUnnamed(request: NewFileRequest, options?: CallOptions): Promise<File> {
    const args = (directory: number) => ({ directory, request: newFile(request) });
    return this.#opened(
      shownPath(this.path, request, null),
      this.#native("Making a file in", options, "createUnnamed", args, undefined, this.#closeLate),
    );
  }

  createNamed(name: string, request: NewFileRequest, options?: CallOptions): Promise<File> {
    return this.#create(name, newFile(request), options, shownPath(this.path, request, name));
  }

  createWhole(
    name: string,
    request: NewFileRequest,
    content: readonly ContentPiece[],
    options?: CallOptions,
  ): Promise<FileFacts> {
    const args = (directory: number) => ({ directory, name, request: newFile(request), pieces: content });
    // Its caller was told that there is no such file.
    const late = () => void this.removeFile(name).catch(() => undefined);
    return this.#native("Making", this.#patience("file", options), "createWhole", args, name, late);
  }

  publish(file: File, name: string, options?: CallOptions & PublishOptions): Promise<FileFacts> {
    const { sync = "none", signal } = options ?? {};
    const call = async (directory: number): Promise<FileFacts> => {
      bytesOfName(name);
      const what = `"${joinPath(this.path, name)}" cannot be published`;
      if (!(file instanceof LocalFile)) throw hostError("EXDEV", what);
      const held = file.hold();
      const args = { directory, name, fd: held.fd, sync };
      return this.#services.lanes.quick.perform("publish", args, what, signal).finally(held.release);
    };
    return this.#call("Publishing", this.#patience(sync, options), call, undefined, name);
  }

  publishEntry(temporaryName: string, name: string, options?: CallOptions & PublishOptions): Promise<FileFacts> {
    const { sync = "none" } = options ?? {};
    const args = (directory: number) => ({ directory, from: temporaryName, name, sync });
    return this.#native("Publishing", this.#patience(sync, options), "publishEntry", args, name);
  }

  async openDirectory(name: string, options?: CallOptions): Promise<Directory> {
    const args = (directory: number) => ({ directory, name, flags: directoryFlags | constants.O_NOFOLLOW });
    const fd = await this.#native("Opening", options, "openEntry", args, name, this.#closeLate);
    const descriptor = ownDescriptor(fd, this.#services.lanes);
    return new LocalDirectory(this.#services, joinPath(this.path, name), {
      descriptor,
      identity: null,
      isChecked: true,
    });
  }

  makeDirectory(name: string, mode: number, options?: CallOptions): Promise<void> {
    // Its caller was told that there is no such directory.
    const late = () => void this.removeDirectory(name).catch(() => undefined);
    return this.#entryCall("Making", name, options, (path) => makeDirectoryWithMode(path, mode), late);
  }

  async removeFile(name: string, options?: CallOptions): Promise<void> {
    const holds = this.#services.mayHoldRemoved;
    const args = (directory: number) => ({ directory, name, holds });
    const late = (held: number | null) => void (held === null ? null : this.#free(held, name).catch(() => undefined));
    const held = await this.#native("Removing", options, "removeFile", args, name, late);
    // The name is gone, whatever becomes of the caller's interest.
    if (held !== null) await this.#free(held, name);
  }

  removeDirectory(name: string, options?: CallOptions): Promise<void> {
    return this.#native("Removing", options, "removeDirectory", (directory) => ({ directory, name }), name);
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
    return this.#entryCall("Writing", name, slow, async (path, fd) => {
      const temporary = entryPath(fd, atomicWriteName());
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
      await this.#services.lanes.bulk.perform("sync", { fd }, `"${this.path}" cannot be flushed`);
    });
  }

  sync(options?: CallOptions): Promise<void> {
    const slow = { timeoutMs: hostLimits.localSlowCallMs, ...options };
    const { bulk } = this.#services.lanes;
    return this.#call("Flushing", slow, (fd) => bulk.perform("sync", { fd }, `"${this.path}" cannot be flushed`));
  }

  setLabel(label: string, options?: CallOptions): Promise<void> {
    return this.#native("Labelling", options, "setLabel", (fd) => ({ fd, label }));
  }

  changeMode(mode: number, options?: CallOptions): Promise<void> {
    return this.#native("Changing the mode of", options, "changeMode", (fd) => ({ fd, mode }));
  }

  changeOwner(owner: number, group: number, options?: CallOptions): Promise<void> {
    return this.#native("Changing the owner of", options, "changeOwner", (fd) => ({ fd, owner, group }));
  }

  setNoCopyOnWrite(value: boolean, options?: CallOptions): Promise<void> {
    return this.#native("Changing the flags of", options, "setNoCopyOnWrite", (fd) => ({ fd, value }));
  }

  close(): Promise<void> {
    const closed = this.#handle.close().catch((thrown: unknown) => {
      throw hostErrorFrom(thrown);
    });
    return withDeadline(`Closing "${this.path}"`, closed, hostLimits.localCallMs, undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What a removed file holds: a large one's extents take long, and keep no short call waiting. */
  #free(held: number, name: string): Promise<void> {
    const what = `Removing "${joinPath(this.path, name)}"`;
    const freed = this.#services.lanes.bulk.perform("close", { fd: held }, `${what} failed`);
    return withDeadline(what, freed, hostLimits.localSlowCallMs, undefined);
  }

  #create(
    name: string,
    request: NewFile,
    options: CallOptions | undefined,
    path = joinPath(this.path, name),
  ): Promise<File> {
    const args = (directory: number) => ({ directory, name, request });
    const late = (fd: number) => {
      this.#closeLate(fd);
      // Its caller was told that there is no such file.
      this.removeFile(name).catch(() => undefined);
    };
    return this.#opened(path, this.#native("Making", options, "createNamed", args, name, late));
  }

  #open(name: string, flags: number, options: CallOptions | undefined): Promise<File> {
    const args = (directory: number) => ({ directory, name, flags });
    return this.#opened(
      joinPath(this.path, name),
      this.#native("Opening", options, "openEntry", args, name, this.#closeLate),
    );
  }

  async #opened(path: string, descriptor: Promise<number>): Promise<LocalFile> {
    return new LocalFile(this.#services, path, await descriptor);
  }

  #look(name: string, headBytes: number, follow: boolean, options: CallOptions | undefined): Promise<EntryLook> {
    return this.#native("Looking at", options, "look", (directory) => ({ directory, name, headBytes, follow }), name);
  }

  #entryFacts(name: string, follow: boolean, options: CallOptions | undefined): Promise<FileFacts> {
    return this.#native("Looking at", options, "factsOfEntry", (directory) => ({ directory, name, follow }), name);
  }

  /** A flush may take as long as what was written before takes. */
  #patience(sync: PublishOptions["sync"], options: CallOptions | undefined): CallOptions | undefined {
    return sync === "none" ? options : { timeoutMs: hostLimits.localSlowCallMs, ...options };
  }

  /** Where the path belongs, when that is not here. */
  elsewhere(path: string): Promise<Elsewhere | null> {
    return this.#services.elsewhere(path);
  }

  /** The home of what a symlink leads to, when that is not here. Asks from where the directory is now. */
  #targetElsewhere(name: string, options: CallOptions | undefined): Promise<Elsewhere | null> {
    return this.#call(
      "Looking at",
      options,
      async (fd) => {
        const now = await fs.readlink(`/proc/self/fd/${fd}`, { encoding: "buffer" });
        return this.elsewhere(joinPath(textOfBytes(now), name));
      },
      undefined,
      name,
    );
  }

  readonly #closeLate = (fd: number): void => {
    closeDescriptor(fd, this.#services.lanes).catch(() => undefined);
  };

  /** A call of the quick lane about this directory, or about its entry `name`. */
  #native<Name extends NativeCallName>(
    doing: string,
    options: CallOptions | undefined,
    call: Name,
    args: (fd: number) => NativeArguments<Name>,
    name?: string,
    late?: (result: NativeResult<Name>) => void,
  ): Promise<NativeResult<Name>> {
    const path = name === undefined ? this.path : joinPath(this.path, name);
    const checked = (fd: number): NativeArguments<Name> => {
      if (name !== undefined) bytesOfName(name);
      return args(fd);
    };
    return this.#within(
      doing,
      options,
      this.#handle.perform(call, checked, `${doing} "${path}" failed`, options),
      late,
      name,
    );
  }

  #entryCall<T>(
    doing: string,
    name: string,
    options: CallOptions | undefined,
    call: (path: Buffer, fd: number) => Promise<T>,
    late?: (result: T) => void,
  ): Promise<T> {
    return this.#call(doing, options, async (fd) => call(entryPath(fd, name), fd), late, name);
  }

  #call<T>(
    doing: string,
    options: CallOptions | undefined,
    call: (fd: number) => Promise<T>,
    late?: (result: T) => void,
    name?: string,
  ): Promise<T> {
    return this.#within(doing, options, this.#handle.use(call), late, name);
  }

  /** With a deadline, and its failure as a HostError. */
  #within<T>(
    doing: string,
    options: CallOptions | undefined,
    outcome: Promise<T>,
    late?: (result: T) => void,
    name?: string,
  ): Promise<T> {
    const path = name === undefined ? this.path : joinPath(this.path, name);
    const result = outcome.catch((thrown: unknown) => {
      throw hostErrorFrom(thrown);
    });
    return withDeadline(`${doing} "${path}"`, result, hostLimits.localCallMs, options, late);
  }
}

const exclusiveFlags = constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_NOCTTY;

function entryPath(fd: number, name: string): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), bytesOfName(name)]);
}

/** As a new file is that says nothing of owner and label. */
const ownedByDaemon = { owner: -1, group: -1, label: null, sizeBytes: 0n, noCopyOnWrite: false } as const;

/** Of a new file, by the name that it is going to have. */
export function shownPath(directory: string, { shownAs }: NewFileRequest, name: string | null): string {
  const known = shownAs ?? name;
  return known === null ? directory : joinPath(directory, known);
}

function newFile(request: NewFileRequest): NewFile {
  const { mode, owner, group, label, sizeBytes = 0n, noCopyOnWrite = false } = request;
  return { flags: accessFlags["read-write"], mode, owner, group, label, sizeBytes, noCopyOnWrite };
}

/** A look at what a symlink leads to, by the home that belongs to. */
async function lookThrough(
  { host, path }: Elsewhere,
  headBytes: number,
  options: CallOptions | undefined,
): Promise<EntryLook> {
  const seen = await host.facts(path, options);
  if (seen.kind !== "file" && seen.kind !== "block") return { facts: seen, head: null };
  await using file = await host.openFile(path, "read", options);
  return { facts: await file.facts(options), head: await file.read(0n, headBytes, options) };
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
