import * as fs from "node:fs/promises";
import { hostLimits } from "../../limits.js";
import { withDeadline } from "../deadline.js";
import { hostError, hostErrorFrom } from "../errors.js";
import type {
  CallOptions,
  Command,
  CommandResult,
  Directory,
  File,
  FileAccess,
  FileFacts,
  Host,
  Identity,
  MountFacts,
  OpenDirectoryOptions,
  RunOptions,
  ScannedEntry,
  ScanRequest,
} from "../host.js";
import { readMountAt, readRealPath } from "../mounts.js";
import { bytesOfPath } from "../names.js";
import type { ScannedDirectory, ScanThreads } from "../scan.js";
import { LocalDirectory, makeDirectoryWithMode } from "./local-directory.js";
import { LocalFile } from "./local-file.js";
import { NameWatches } from "./name-watches.js";
import { firstLinkBy, type NativeLanes } from "./native-lane.js";
import { accessFlags, safeFlags } from "./open-flags.js";
import { type OpenedDirectory, openForOne, RememberedDirectories } from "./remembered-directories.js";
import type { Elsewhere, LocalServices } from "./services.js";

/** Chooses the home of a path, as `Hosts` does. */
export interface PathRouter {
  /** Where it is known already: to find it takes longer than many calls. */
  known(path: string): Host | null;
  find(path: string): Promise<Host>;
}

export interface LocalHostParts {
  /** null where everything is to be done here (in the child). */
  readonly router: PathRouter | null;
  readonly lanes: NativeLanes;
  readonly scans: ScanThreads;
  readonly run: (command: Command, options: RunOptions | undefined) => Promise<CommandResult>;
  /** The home of a path for another user; absent where everything is to be done here. */
  readonly as?: (path: string, identity: Identity) => Promise<Host | null>;
  readonly evidenceAgeNs: bigint;
}

/**
 * Storage on this machine's own disks, by threads of this process. A path may lead through a symlink to storage that can hang;
 * each call with a path therefore asks first, and passes the call on to that storage's own home.
 */
export class LocalHost implements Host, LocalServices {
  readonly home = "local";
  readonly lanes: NativeLanes;
  readonly watches = new NameWatches();
  readonly #parts: LocalHostParts;
  readonly #remembered: RememberedDirectories;

  constructor(parts: LocalHostParts) {
    this.#parts = parts;
    this.lanes = parts.lanes;
    this.#remembered = new RememberedDirectories(parts.lanes);
  }

  get host(): Host {
    return this;
  }

  get mayHoldRemoved(): boolean {
    return this.#parts.router !== null;
  }

  openDirectory(path: string, options?: OpenDirectoryOptions): Promise<Directory> {
    return this.#at<Directory>(
      path,
      options,
      (host) => host.openDirectory(path, options),
      () =>
        this.#call(
          `Opening "${path}"`,
          options,
          async () => {
            return new LocalDirectory(this, path, await this.#open(path, options?.lazily));
          },
          (late) => void late.close(),
        ),
    );
  }

  facts(path: string, options?: CallOptions): Promise<FileFacts> {
    return this.#at(
      path,
      options,
      (host) => host.facts(path, options),
      () =>
        this.#call(`Looking at "${path}"`, options, () =>
          this.lanes.quick.perform("factsOfPath", { path }, `"${path}" cannot be looked at`, options?.signal),
        ),
    );
  }

  openFile(path: string, access: FileAccess, options?: CallOptions): Promise<File> {
    return this.#at<File>(
      path,
      options,
      (host) => host.openFile(path, access, options),
      () =>
        this.#call(
          `Opening "${path}"`,
          options,
          async () => {
            const flags = accessFlags[access] | safeFlags;
            const fd = await this.lanes.quick.perform("openPath", { path, flags }, `"${path}" cannot be opened`);
            return new LocalFile(this, path, fd);
          },
          (late) => void late.close(),
        ),
    );
  }

  makeDirectories(path: string, options?: CallOptions): Promise<void> {
    return this.#at(
      path,
      options,
      (host) => host.makeDirectories(path, options),
      () =>
        this.#call(
          `Making "${path}"`,
          options,
          async () => void (await fs.mkdir(bytesOfPath(path), { recursive: true })),
        ),
    );
  }

  makeDirectory(path: string, mode: number, options?: CallOptions): Promise<void> {
    return this.#at(
      path,
      options,
      (host) => host.makeDirectory(path, mode, options),
      () => this.#call(`Making "${path}"`, options, async () => makeDirectoryWithMode(bytesOfPath(path), mode)),
    );
  }

  removeDirectory(path: string, options?: CallOptions): Promise<void> {
    return this.#at(
      path,
      options,
      (host) => host.removeDirectory(path, options),
      () => this.#call(`Removing "${path}"`, options, async () => fs.rmdir(bytesOfPath(path))),
    );
  }

  /** Nothing is open or watched any more. */
  close(): Promise<void> {
    this.watches.close();
    return this.letGo();
  }

  /** Without a path: lets go of all directories. */
  letGo(path?: string): Promise<void> {
    return this.#remembered.forget(path);
  }

  run(command: Command, options?: RunOptions): Promise<CommandResult> {
    return this.#parts.run(command, options);
  }

  async as(path: string, identity: Identity): Promise<Host | null> {
    return (await this.#parts.as?.(path, identity)) ?? null;
  }

  mountAt(path: string, options?: CallOptions): Promise<MountFacts | null> {
    return this.#call("Reading the mount table", options, () => readMountAt(path, firstLinkBy(this.lanes)));
  }

  realPath(path: string, options?: CallOptions): Promise<string> {
    return this.#call("Reading the mount table", options, () => readRealPath(path, firstLinkBy(this.lanes)));
  }

  scan(
    directory: ScannedDirectory,
    request: ScanRequest,
    options: CallOptions | undefined,
  ): AsyncIterable<readonly ScannedEntry[]> {
    return this.#parts.scans.scan(directory, request, options, {
      evidenceAgeNs: this.#parts.evidenceAgeNs,
      follows: this.#parts.router === null ? "everywhere" : "local",
    });
  }

  async elsewhere(path: string): Promise<Elsewhere | null> {
    const host = await this.#parts.router?.find(path);
    return host === undefined || host === this ? null : { host, path };
  }

  openAnew(path: string): Promise<OpenedDirectory> {
    return this.#open(path, false);
  }

  /** Storage that can hang is asked each time: its mount must not be held longer than it is used. */
  async #open(path: string, lazily?: boolean): Promise<OpenedDirectory> {
    if (this.#parts.router !== null) return this.#remembered.open(path, lazily);
    return openForOne(path, this.lanes);
  }

  async #at<T>(
    path: string,
    options: CallOptions | undefined,
    there: (host: Host) => Promise<T>,
    here: () => Promise<T>,
  ): Promise<T> {
    if (!path.startsWith("/")) throw hostError("EINVAL", `${JSON.stringify(path)} is not an absolute path`);
    const { router } = this.#parts;
    const host = router === null ? this : (router.known(path) ?? (await this.#find(router, path, options)));
    return host === this ? here() : there(host);
  }

  #find(router: PathRouter, path: string, options: CallOptions | undefined): Promise<Host> {
    return withDeadline(`Looking for "${path}"`, router.find(path), hostLimits.localCallMs, options);
  }

  #call<T>(
    what: string,
    options: CallOptions | undefined,
    call: () => Promise<T>,
    late?: (result: T) => void,
  ): Promise<T> {
    const result = call().catch((thrown: unknown) => {
      throw hostErrorFrom(thrown);
    });
    return withDeadline(what, result, hostLimits.localCallMs, options, late);
  }
}
