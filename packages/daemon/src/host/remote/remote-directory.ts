import { setImmediate as turn } from "node:timers/promises";
import { anyOf, JobSignal } from "../../cancel-signal.js";
import { hostLimits } from "../../limits.js";
import { hostError } from "../errors.js";
import type {
  CallOptions,
  ContentPiece,
  Directory,
  DirectoryIdentity,
  EntryLook,
  File,
  FileFacts,
  NewFileRequest,
  OpenRequest,
  PublishOptions,
  ScanEvidence,
  ScannedEntry,
  ScanRequest,
  SpaceFacts,
} from "../host.js";
import { shownPath } from "../local/local-directory.js";
import { joinPath } from "../names.js";
import type { DirectoryResults, HandleLocation } from "./messages.js";
import type { RemoteChild } from "./remote-child.js";
import { RemoteFile } from "./remote-file.js";
import type { RemoteHome } from "./remote-home.js";

/** A directory that a child process has open. It is dead (ESTALE) once that child is. */
export class RemoteDirectory implements Directory {
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
    return this.#call("facts", "Looking at", null, [], options);
  }

  identity(options?: CallOptions): Promise<DirectoryIdentity> {
    return this.#call("identity", "Looking at", null, [], options);
  }

  async insist(identity: DirectoryIdentity, options?: CallOptions): Promise<void> {
    const { device, inode } = await this.identity(options);
    if (device === identity.device && inode === identity.inode) return;
    throw hostError("ESTALE", `"${this.path}" is not the directory that it was`);
  }

  space(options?: CallOptions): Promise<SpaceFacts> {
    return this.#call("space", "Measuring", null, [], options);
  }

  keptBytes(options?: CallOptions): Promise<bigint> {
    return this.#call("keptBytes", "Measuring", null, [], options);
  }

  fileSystem(options?: CallOptions): Promise<string> {
    return this.#call("fileSystem", "Looking at", null, [], options);
  }

  names(options?: CallOptions): Promise<string[]> {
    return this.#call("names", "Listing", null, [], options);
  }

  async *scan(request: ScanRequest, options?: CallOptions): AsyncGenerator<readonly ScannedEntry[], void, undefined> {
    const { known, ...sent } = request;
    const batches: (readonly ScannedEntry[])[] = [];
    let wake: () => void = () => undefined;
    let scanId = 0;
    let outcome: { readonly failure: unknown } | "done" | null = null;
    const stop = new JobSignal();
    using either = anyOf(stop, ...(options?.signal === undefined ? [] : [options.signal]));
    const call = this.child.call(
      {
        target: this.#open(),
        method: "scan",
        args: [sent],
        what: `Scanning "${this.path}"`,
        timeoutMs: options?.timeoutMs ?? this.host.slowCallMs,
        signal: either.signal,
        batch: (entries) => {
          batches.push(entries);
          wake();
        },
      },
      async (id) => {
        scanId = id;
        for (const entries of pieces(known)) {
          this.child.tell({ type: "known", id, entries });
          await turn();
        }
      },
    );
    call.then(
      () => {
        outcome = "done";
        wake();
      },
      (failure: unknown) => {
        outcome = { failure };
        wake();
      },
    );
    try {
      for (;;) {
        const batch = batches.shift();
        if (batch !== undefined) {
          yield batch;
          this.child.tell({ type: "more", id: scanId });
          continue;
        }
        const ended: { readonly failure: unknown } | "done" | null = outcome;
        if (ended === "done") return;
        if (ended !== null) throw (ended as { readonly failure: unknown }).failure;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      stop.abort(null);
    }
  }

  lookup(name: string, options?: CallOptions & { readonly follow?: boolean }): Promise<FileFacts> {
    return this.#call("lookup", "Looking at", name, [{ follow: options?.follow ?? true }], options);
  }

  readLink(name: string, options?: CallOptions): Promise<string> {
    return this.#call("readLink", "Reading", name, [], options);
  }

  look(name: string, headBytes: number, options?: CallOptions & { readonly follow?: boolean }): Promise<EntryLook> {
    return this.#call("look", "Looking at", name, [headBytes, { follow: options?.follow ?? false }], options);
  }

  async open(name: string, request: OpenRequest, options?: CallOptions): Promise<File> {
    const { handle } = await this.#call("open", "Opening", name, [request], options);
    return new RemoteFile(this.host, this.child, handle, joinPath(this.path, name));
  }

  async createUnnamed(request: NewFileRequest, options?: CallOptions): Promise<File> {
    const { handle } = await this.#call("createUnnamed", "Making a file in", null, [request], options);
    return new RemoteFile(this.host, this.child, handle, shownPath(this.path, request, null));
  }

  async createNamed(name: string, request: NewFileRequest, options?: CallOptions): Promise<File> {
    const { handle } = await this.#call("createNamed", "Making", name, [request], options);
    return new RemoteFile(this.host, this.child, handle, shownPath(this.path, request, name));
  }

  createWhole(
    name: string,
    request: NewFileRequest,
    content: readonly ContentPiece[],
    options?: CallOptions,
  ): Promise<FileFacts> {
    return this.#call("createWhole", "Making", name, [request, content], this.#patience("file", options));
  }

  async publish(file: File, name: string, options?: CallOptions & PublishOptions): Promise<FileFacts> {
    if (!(file instanceof RemoteFile) || file.child !== this.child)
      throw hostError("EXDEV", `"${joinPath(this.path, name)}" cannot be published: its file is open elsewhere`);
    const sync = options?.sync ?? "none";
    return this.#call("publish", "Publishing", null, [file.handle, name, { sync }], this.#patience(sync, options));
  }

  publishEntry(temporaryName: string, name: string, options?: CallOptions & PublishOptions): Promise<FileFacts> {
    const sync = options?.sync ?? "none";
    const args = [name, { sync }];
    return this.#call("publishEntry", "Publishing", temporaryName, args, this.#patience(sync, options));
  }

  async openDirectory(name: string, options?: CallOptions): Promise<Directory> {
    const { handle } = await this.#call("openDirectory", "Opening", name, [], options);
    return new RemoteDirectory(this.host, this.child, handle, joinPath(this.path, name));
  }

  makeDirectory(name: string, mode: number, options?: CallOptions): Promise<void> {
    return this.#call("makeDirectory", "Making", name, [mode], options);
  }

  removeFile(name: string, options?: CallOptions): Promise<void> {
    return this.#call("removeFile", "Removing", name, [], options);
  }

  removeDirectory(name: string, options?: CallOptions): Promise<void> {
    return this.#call("removeDirectory", "Removing", name, [], options);
  }

  rename(from: string, to: string, options?: CallOptions): Promise<void> {
    return this.#call("rename", "Renaming", from, [to], options);
  }

  symlink(name: string, content: string, options?: CallOptions): Promise<void> {
    return this.#call("symlink", "Linking", name, [content], options);
  }

  readFile(name: string, limitBytes: number, options?: CallOptions): Promise<Uint8Array> {
    return this.#call("readFile", "Reading", name, [limitBytes], options);
  }

  writeFileAtomically(name: string, content: Uint8Array, mode: number, options?: CallOptions): Promise<void> {
    return this.#call("writeFileAtomically", "Writing", name, [content, mode], {
      timeoutMs: this.host.slowCallMs,
      ...options,
    });
  }

  sync(options?: CallOptions): Promise<void> {
    return this.#call("sync", "Flushing", null, [], { timeoutMs: this.host.slowCallMs, ...options });
  }

  setLabel(label: string, options?: CallOptions): Promise<void> {
    return this.#call("setLabel", "Labelling", null, [label], options);
  }

  changeMode(mode: number, options?: CallOptions): Promise<void> {
    return this.#call("changeMode", "Changing the mode of", null, [mode], options);
  }

  changeOwner(owner: number, group: number, options?: CallOptions): Promise<void> {
    return this.#call("changeOwner", "Changing the owner of", null, [owner, group], options);
  }

  setNoCopyOnWrite(value: boolean, options?: CallOptions): Promise<void> {
    return this.#call("setNoCopyOnWrite", "Changing the flags of", null, [value], options);
  }

  /** For a command that another process runs. */
  location(): Promise<HandleLocation> {
    return this.#call("location", "Looking at", null, [], undefined);
  }

  close(): Promise<void> {
    this.#closed ??= this.child.closeHandle(this.handle).then(() => undefined);
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #patience(sync: PublishOptions["sync"], options: CallOptions | undefined): CallOptions | undefined {
    return sync === "none" ? options : { timeoutMs: this.host.slowCallMs, ...options };
  }

  #open(): number {
    if (this.#closed !== null) throw hostError("EBADF", `"${this.path}" was closed`);
    return this.handle;
  }

  async #call<Method extends keyof DirectoryResults>(
    method: Method,
    doing: string,
    name: string | null,
    args: readonly unknown[],
    options: CallOptions | undefined,
  ): Promise<DirectoryResults[Method]> {
    const call = {
      target: this.#open(),
      method,
      args: name === null ? args : [name, ...args],
      what: `${doing} "${name === null ? this.path : joinPath(this.path, name)}"`,
      timeoutMs: options?.timeoutMs ?? this.host.callMs,
      signal: options?.signal,
    };
    // The child serves the method of this name, and answers as it does.
    return (await this.child.call(call)) as DirectoryResults[Method];
  }
}

/** In parts that take the event loop a millisecond each. */
function* pieces(known: ScanRequest["known"]): Generator<[string, ScanEvidence][], void, undefined> {
  let piece: [string, ScanEvidence][] = [];
  for (const entry of known ?? []) {
    if (piece.push(entry) < hostLimits.scanBatchEntries) continue;
    yield piece;
    piece = [];
  }
  if (piece.length > 0) yield piece;
}
