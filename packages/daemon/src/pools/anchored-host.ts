import type { PoolDocument } from "@cistern/documents";
import type {
  CallOptions,
  Command,
  CommandResult,
  Directory,
  DirectoryIdentity,
  File,
  FileAccess,
  FileFacts,
  Host,
  Identity,
  MountFacts,
  OpenDirectoryOptions,
  RunOptions,
} from "../host/index.js";

export type { DirectoryIdentity };

export const ESTALE = 116;

/**
 * A pool's target is a path, and who may write above it can put another directory in its place, or a symlink to one. What
 * a scan saw in one directory is then not made, written or deleted in the other: changes of volumes get a host that
 * opens the target only where it still is the directory of the last scan (38 "… Stale file handle" otherwise; a refresh
 * takes the new one). Storage that is mounted on demand comes back as another device, so this is for local storage only.
 */
export function anchoredHost(pool: PoolDocument, anchor: DirectoryIdentity | null, host: Host): Host {
  return watching(pool, host, async (directory, options) => {
    if (anchor !== null) await directory.insist(anchor, options);
  });
}

/** A host for a scan: `found` is told which directory the pool's target was when it was opened. */
export function anchoringHost(pool: PoolDocument, host: Host, found: (identity: DirectoryIdentity) => void): Host {
  return watching(pool, host, async (directory, options) => found(await directory.identity(options)));
}

type Look = (directory: Directory, options: CallOptions | undefined) => Promise<void>;

function watching(pool: PoolDocument, host: Host, look: Look): Host {
  const { path } = pool.target;
  // udev removes and makes the directories of device links (/dev/disk/by-path) as devices come and go; nobody else can.
  if (path === null || host.home !== "local" || path.startsWith("/dev/")) return host;
  return new WatchingHost(host, path, look);
}

/** Another host, with a look at one directory whenever it is opened. */
class WatchingHost implements Host {
  readonly #host: Host;
  readonly #path: string;
  readonly #look: Look;

  constructor(host: Host, path: string, look: Look) {
    this.#host = host;
    this.#path = path;
    this.#look = look;
  }

  get home(): Host["home"] {
    return this.#host.home;
  }

  async openDirectory(path: string, options?: OpenDirectoryOptions): Promise<Directory> {
    const directory = await this.#host.openDirectory(path, options);
    if (path !== this.#path) return directory;
    try {
      await this.#look(directory, options);
      return directory;
    } catch (error) {
      await directory.close();
      throw error;
    }
  }

  facts(path: string, options?: CallOptions): Promise<FileFacts> {
    return this.#host.facts(path, options);
  }
  openFile(path: string, access: FileAccess, options?: CallOptions): Promise<File> {
    return this.#host.openFile(path, access, options);
  }
  makeDirectories(path: string, options?: CallOptions): Promise<void> {
    return this.#host.makeDirectories(path, options);
  }
  makeDirectory(path: string, mode: number, options?: CallOptions): Promise<void> {
    return this.#host.makeDirectory(path, mode, options);
  }
  removeDirectory(path: string, options?: CallOptions): Promise<void> {
    return this.#host.removeDirectory(path, options);
  }
  async as(path: string, identity: Identity): Promise<Host | null> {
    return (await this.#host.as?.(path, identity)) ?? null;
  }
  mountAt(path: string, options?: CallOptions): Promise<MountFacts | null> {
    return this.#host.mountAt(path, options);
  }
  realPath(path: string, options?: CallOptions): Promise<string> {
    return this.#host.realPath(path, options);
  }
  run(command: Command, options?: RunOptions): Promise<CommandResult> {
    return this.#host.run(command, options);
  }
}
