import {
  type PoolDocument,
  readPoolConfigFile,
  readPoolState,
  writePoolConfigFile,
  writePoolStateFile,
} from "@cistern/documents";
import { decodeUtf8, ErrorCode, ErrorDomain, encodeUtf8, LibvirtError } from "@cistern/protocol";
import { type Directory, type Host, HostError, isLeftoverOfAtomicWrite } from "../host/index.js";
import { limits } from "../limits.js";

/** Where the definitions, the autostart links and the state of active pools are. Absolute paths, the daemon's own. */
export interface PoolPlaces {
  readonly definitions: string;
  readonly autostart: string;
  readonly state: string;
}

export interface StoredPool {
  readonly document: PoolDocument;
  readonly autostart: boolean;
}

/** A pool that was active when the last daemon ended. */
export interface ActivePool {
  readonly document: PoolDocument;
  /** What its start had made (`Started.made`). */
  readonly made: readonly string[];
}

/** A start that was due in this boot and has not come about. */
export interface OwedStart {
  readonly uuid: string;
  /** In vain so far. */
  readonly attempts: number;
}

const AUTOSTARTED_MARKER = "autostarted";
const PRIVATE = 0o600;

/**
 * Pools on disk, in libvirt's own files: either daemon can take over from the other. A definition is replaced as one
 * step (temporary file, fsync, rename, fsync of the directory), so that a power cut leaves the old or the new one.
 *
 * The directories are opened anew for each change: an administrator may move one away and put a backup in its place.
 */
export class PoolStore {
  readonly #host: Host;
  readonly #places: PoolPlaces;
  readonly #reportSkipped: (file: string, reason: unknown) => void;

  constructor(host: Host, places: PoolPlaces, reportSkipped: (file: string, reason: unknown) => void) {
    this.#host = host;
    this.#places = places;
    this.#reportSkipped = reportSkipped;
  }

  async saveDefinition(document: PoolDocument): Promise<void> {
    await this.#save("definitions", fileOf(document.name), writePoolConfigFile(document));
  }

  /** The autostart link goes with the definition. */
  async removeDefinition(name: string): Promise<void> {
    await using links = await this.#openIfThere("autostart");
    if (links !== null) {
      await removeIfThere(links, fileOf(name)).catch((error: unknown) => {
        throw systemError(error, `Failed to delete autostart link '${links.path}/${fileOf(name)}'`);
      });
    }
    await using definitions = await this.#open("definitions");
    try {
      await definitions.removeFile(fileOf(name));
    } catch (error) {
      if (error instanceof HostError && error.code === "ENOENT") return;
      throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, `cannot remove config for ${name}`);
    }
    await definitions.sync();
  }

  /** A file in the place of the link that is none of ours is not touched. */
  async setAutostart(name: string, autostart: boolean): Promise<void> {
    await using links = await this.#open("autostart");
    const link = fileOf(name);
    const target = `${this.#places.definitions}/${link}`;
    if (autostart) {
      await links.symlink(link, target).catch((error: unknown) => {
        throw systemError(error, `Failed to create symlink '${links.path}/${link}' to '${target}'`);
      });
    } else {
      await removeIfThere(links, link).catch((error: unknown) => {
        throw systemError(error, `Failed to delete symlink '${links.path}/${link}'`);
      });
    }
    await links.sync();
  }

  /** What the start has made stands in a file of our own beside libvirt's, which has no place for it. */
  async saveState(document: PoolDocument, made: readonly string[]): Promise<void> {
    if (made.length > 0) await this.#save("state", madeFileOf(document.name), `${JSON.stringify(made, null, 2)}\n`);
    else await this.#removeMade(document.name);
    await this.#save("state", fileOf(document.name), writePoolStateFile(document));
  }

  async removeState(name: string): Promise<void> {
    await using state = await this.#open("state");
    await removeIfThere(state, fileOf(name));
    await removeIfThere(state, madeFileOf(name));
  }

  async #removeMade(name: string): Promise<void> {
    await using state = await this.#openIfThere("state");
    if (state !== null) await removeIfThere(state, madeFileOf(name));
  }

  /** Definitions whose file name is the pool's; the others are reported and skipped. */
  async loadDefinitions(): Promise<StoredPool[]> {
    const documents = await this.#load("definitions", readPoolConfigFile);
    if (documents.length === 0) return [];
    await using definitions = await this.#open("definitions");
    await using links = await this.#openIfThere("autostart");
    return await Promise.all(
      documents.map(async (document) => ({
        document,
        autostart: links !== null && (await isAutostarted(document.name, links, definitions)),
      })),
    );
  }

  /** The pools that were active when the last daemon ended, as they were. */
  async loadStates(): Promise<ActivePool[]> {
    const documents = await this.#load("state", readPoolState);
    return Promise.all(documents.map(async (document) => ({ document, made: await this.#loadMade(document.name) })));
  }

  async #loadMade(name: string): Promise<readonly string[]> {
    await using state = await this.#open("state");
    const file = madeFileOf(name);
    try {
      const made: unknown = JSON.parse(decodeUtf8(await state.readFile(file, limits.storedDocumentBytes)));
      if (Array.isArray(made) && made.every((line) => typeof line === "string")) return made;
      throw new Error("it is not a list of texts");
    } catch (error) {
      if (!(error instanceof HostError && error.code === "ENOENT")) this.#reportSkipped(`${state.path}/${file}`, error);
      return [];
    }
  }

  /** Whether autostart was begun in this boot: the run directory, and the marker in it, do not outlive a reboot. */
  async autostartBegan(): Promise<boolean> {
    await using state = await this.#openIfThere("state");
    if (state === null) return false;
    try {
      await state.lookup(AUTOSTARTED_MARKER, { follow: true });
      return true;
    } catch (error) {
      if (error instanceof HostError && error.code === "ENOENT") return false;
      throw error;
    }
  }

  async markAutostart(): Promise<void> {
    await using state = await this.#open("state");
    try {
      const marker = await state.open(AUTOSTARTED_MARKER, { access: "write", create: "exclusive", mode: PRIVATE });
      await marker.close();
    } catch (error) {
      if (!(error instanceof HostError && error.code === "EEXIST")) throw error;
    }
  }

  async saveOwedStart(
    { name, uuid }: { readonly name: string; readonly uuid: string },
    attempts: number,
  ): Promise<void> {
    await this.#save("state", owedFileOf(name), `${JSON.stringify({ uuid, attempts })}\n`);
  }

  async removeOwedStart(name: string): Promise<void> {
    await using state = await this.#openIfThere("state");
    if (state !== null) await removeIfThere(state, owedFileOf(name));
  }

  /** By the pool's name. What cannot be read is reported, and is not owed. */
  async loadOwedStarts(): Promise<ReadonlyMap<string, OwedStart>> {
    const owed = new Map<string, OwedStart>();
    await using state = await this.#openIfThere("state");
    if (state === null) return owed;
    for (const file of (await state.names()).filter((name) => name.endsWith(OWED_SUFFIX))) {
      try {
        const content = decodeUtf8(await state.readFile(file, limits.storedDocumentBytes));
        owed.set(file.slice(0, -OWED_SUFFIX.length), readOwedStart(JSON.parse(content)));
      } catch (error) {
        this.#reportSkipped(`${state.path}/${file}`, error);
      }
    }
    return owed;
  }

  async #save(place: keyof PoolPlaces, file: string, content: string): Promise<void> {
    await using directory = await this.#open(place);
    await directory.writeFileAtomically(file, encodeUtf8(content), PRIVATE).catch((error: unknown) => {
      throw systemError(error, `cannot write '${directory.path}/${file}'`);
    });
  }

  async #load(place: keyof PoolPlaces, read: (xml: string) => PoolDocument): Promise<PoolDocument[]> {
    await using directory = await this.#openIfThere(place);
    if (directory === null) return [];
    const names = await directory.names();
    for (const name of names.filter(isLeftoverOfAtomicWrite)) await removeIfThere(directory, name);
    const files = names.filter((name) => name.endsWith(".xml")).sort();
    const documents: PoolDocument[] = [];
    for (const file of files) {
      try {
        const document = read(decodeUtf8(await directory.readFile(file, limits.storedDocumentBytes)));
        if (fileOf(document.name) !== file) {
          throw LibvirtError.of(
            ErrorCode.XML_ERROR,
            ErrorDomain.STORAGE,
            `Storage pool config filename '${directory.path}/${file}' does not match pool name '${document.name}'`,
          );
        }
        documents.push(document);
      } catch (error) {
        this.#reportSkipped(`${directory.path}/${file}`, error);
      }
    }
    return documents;
  }

  async #openIfThere(place: keyof PoolPlaces): Promise<Directory | null> {
    try {
      return await this.#host.openDirectory(this.#places[place]);
    } catch (error) {
      if (error instanceof HostError && error.code === "ENOENT") return null;
      throw systemError(error, `cannot create ${DIRECTORY_NAMES[place]} directory ${this.#places[place]}`);
    }
  }

  /** Made where it is missing. */
  async #open(place: keyof PoolPlaces): Promise<Directory> {
    const path = this.#places[place];
    try {
      const existing = await this.#openIfThere(place);
      if (existing !== null) return existing;
      await this.#host.makeDirectories(path);
      return await this.#host.openDirectory(path);
    } catch (error) {
      throw systemError(error, `cannot create ${DIRECTORY_NAMES[place]} directory ${path}`);
    }
  }
}

/** As libvirt calls them. */
const DIRECTORY_NAMES = { definitions: "config", autostart: "autostart", state: "state" } as const;

/** Whether the link is there and leads to the definition. */
async function isAutostarted(name: string, links: Directory, definitions: Directory): Promise<boolean> {
  try {
    const [linked, definition] = await Promise.all([
      links.lookup(fileOf(name), { follow: true }),
      definitions.lookup(fileOf(name), { follow: true }),
    ]);
    return linked.device === definition.device && linked.inode === definition.inode;
  } catch (error) {
    if (error instanceof HostError && (error.code === "ENOENT" || error.code === "ELOOP")) return false;
    throw error;
  }
}

const fileOf = (poolName: string): string => `${poolName}.xml`;
const madeFileOf = (poolName: string): string => `${poolName}.made.json`;
const OWED_SUFFIX = ".autostart.json";
const owedFileOf = (poolName: string): string => `${poolName}${OWED_SUFFIX}`;

function readOwedStart(value: unknown): OwedStart {
  const { uuid, attempts } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof uuid === "string" && typeof attempts === "number") return { uuid, attempts };
  throw new Error("it does not say whose start is owed");
}

async function removeIfThere(directory: Directory, name: string): Promise<void> {
  try {
    await directory.removeFile(name);
  } catch (error) {
    if (!(error instanceof HostError && error.code === "ENOENT")) throw error;
  }
}

function systemError(error: unknown, detail: string): unknown {
  return error instanceof HostError ? LibvirtError.system(ErrorDomain.STORAGE, error.errno, detail) : error;
}
