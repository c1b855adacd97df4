import {
  type PoolDocument,
  readPool,
  readPoolState,
  writePoolConfigFile,
  writePoolStateFile,
} from "@cistern/documents";
import { decodeUtf8, ErrorCode, ErrorDomain, encodeUtf8, LibvirtError } from "@cistern/protocol";
import type { Directory } from "../host/index.js";
import { HostError } from "../host/index.js";
import { limits } from "../limits.js";

/** Where the definitions, the autostart links and the state of active pools are; opened once, by main. */
export interface PoolDirectories {
  readonly definitions: Directory;
  readonly autostart: Directory;
  readonly state: Directory;
}

export interface StoredPool {
  readonly document: PoolDocument;
  readonly autostart: boolean;
}

const AUTOSTARTED_MARKER = "autostarted";
const PRIVATE = 0o600;

/**
 * Pools on disk, in libvirt's own files: either daemon can take over from the other. A definition is replaced as one
 * step (temporary file, fsync, rename, fsync of the directory), so that a power cut leaves the old or the new one.
 */
export class PoolStore {
  readonly #directories: PoolDirectories;
  readonly #reportSkipped: (file: string, reason: unknown) => void;

  constructor(directories: PoolDirectories, reportSkipped: (file: string, reason: unknown) => void) {
    this.#directories = directories;
    this.#reportSkipped = reportSkipped;
  }

  async saveDefinition(document: PoolDocument): Promise<void> {
    const { definitions } = this.#directories;
    const file = fileOf(document.name);
    await definitions
      .writeFileAtomically(file, encodeUtf8(writePoolConfigFile(document)), PRIVATE)
      .catch((error: unknown) => {
        throw systemError(
          error,
          `cannot write the definition of pool '${document.name}' to '${definitions.path}/${file}'`,
        );
      });
  }

  /** The autostart link goes with the definition. */
  async removeDefinition(name: string): Promise<void> {
    await removeIfThere(this.#directories.autostart, fileOf(name)).catch((error: unknown) => {
      throw systemError(error, `Failed to delete autostart link '${this.#directories.autostart.path}/${fileOf(name)}'`);
    });
    try {
      await this.#directories.definitions.removeFile(fileOf(name));
    } catch (error) {
      if (error instanceof HostError && error.code === "ENOENT") return;
      throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, `cannot remove config for ${name}`);
    }
    await this.#directories.definitions.sync();
  }

  async setAutostart(name: string, autostart: boolean): Promise<void> {
    const { autostart: links, definitions } = this.#directories;
    const link = fileOf(name);
    const target = `${definitions.path}/${link}`;
    await removeIfThere(links, link).catch((error: unknown) => {
      throw systemError(error, `Failed to delete symlink '${links.path}/${link}'`);
    });
    if (autostart) {
      await links.symlink(link, target).catch((error: unknown) => {
        throw systemError(error, `Failed to create symlink '${links.path}/${link}' to '${target}'`);
      });
    }
    await links.sync();
  }

  async saveState(document: PoolDocument): Promise<void> {
    const { state } = this.#directories;
    const file = fileOf(document.name);
    await state.writeFileAtomically(file, encodeUtf8(writePoolStateFile(document)), PRIVATE).catch((error: unknown) => {
      throw systemError(error, `cannot write the state of pool '${document.name}' to '${state.path}/${file}'`);
    });
  }

  async removeState(name: string): Promise<void> {
    await removeIfThere(this.#directories.state, fileOf(name));
  }

  /** Definitions whose file name is the pool's; the others are reported and skipped. */
  async loadDefinitions(): Promise<StoredPool[]> {
    const documents = await this.#load(this.#directories.definitions, (xml) => readPool(xml));
    return Promise.all(
      documents.map(async (document) => ({ document, autostart: await this.#isAutostarted(document.name) })),
    );
  }

  /** The pools that were active when the last daemon ended, as they were. */
  async loadStates(): Promise<PoolDocument[]> {
    return this.#load(this.#directories.state, (xml) => readPoolState(xml));
  }

  /** True once per boot: the run directory, and the marker in it, do not outlive a reboot. */
  async claimAutostart(): Promise<boolean> {
    const { state } = this.#directories;
    try {
      const marker = await state.open(AUTOSTARTED_MARKER, { access: "write", create: "exclusive", mode: PRIVATE });
      await marker.close();
      return true;
    } catch (error) {
      if (error instanceof HostError && error.code === "EEXIST") return false;
      throw error;
    }
  }

  async #load(directory: Directory, read: (xml: string) => PoolDocument): Promise<PoolDocument[]> {
    const files = (await directory.names()).filter((name) => name.endsWith(".xml")).sort();
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

  /** Whether the link is there and leads to the definition. */
  async #isAutostarted(name: string): Promise<boolean> {
    const { autostart, definitions } = this.#directories;
    try {
      const [linked, definition] = await Promise.all([
        autostart.lookup(fileOf(name), { follow: true }),
        definitions.lookup(fileOf(name), { follow: true }),
      ]);
      return linked.device === definition.device && linked.inode === definition.inode;
    } catch (error) {
      if (error instanceof HostError && (error.code === "ENOENT" || error.code === "ELOOP")) return false;
      throw error;
    }
  }
}

const fileOf = (poolName: string): string => `${poolName}.xml`;

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
