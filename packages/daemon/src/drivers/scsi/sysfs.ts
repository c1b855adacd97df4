import { decodeUtf8, encodeUtf8 } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import type { Host } from "../../host/host.js";
import { isErrno } from "../shared/failure.js";

/** The kernel gives attributes in one page. */
const ATTRIBUTE_BYTES = 4_096;

/**
 * What the kernel tells of its devices: directories of small files, one value each. Nothing here waits for a device but writing
 * "scan". Failures are `HostError`s; `root` is elsewhere only where recorded trees are read.
 */
export class Sysfs {
  readonly #host: Host;
  readonly #root: string;

  constructor(host: Host, root = "/sys") {
    this.#host = host;
    this.#root = root;
  }

  /** For messages, too. */
  path(name: string): string {
    return `${this.#root}/${name}`;
  }

  /** Names in a directory, sorted; null: there is none. */
  async names(directory: string): Promise<string[] | null> {
    try {
      await using opened = await this.#host.openDirectory(this.path(directory));
      return (await opened.names()).sort();
    } catch (thrown) {
      if (isErrno(thrown, "ENOENT")) return null;
      throw thrown;
    }
  }

  async exists(directory: string): Promise<boolean> {
    return (await this.names(directory)) !== null;
  }

  /** An attribute without the line's end; null: the device has none, or is gone, or does not tell it now. */
  async read(directory: string, attribute: string): Promise<string | null> {
    try {
      await using opened = await this.#host.openDirectory(this.path(directory));
      return decodeUtf8(await opened.readFile(attribute, ATTRIBUTE_BYTES)).trim();
    } catch (thrown) {
      if (isErrno(thrown, "ENOENT", "ENOTDIR", "ENODEV", "ENXIO", "EIO", "EINVAL", "EACCES")) return null;
      throw thrown;
    }
  }

  /** Where an entry of a class leads: `../../devices/pci0000:00/0000:00:1f.2/ata1/host0/scsi_host/host0`; null: nowhere. */
  async link(directory: string, name: string): Promise<string | null> {
    try {
      await using opened = await this.#host.openDirectory(this.path(directory));
      return await opened.readLink(name);
    } catch (thrown) {
      if (isErrno(thrown, "ENOENT", "EINVAL")) return null;
      throw thrown;
    }
  }

  /** Writes an attribute in one call, as the kernel wants it. */
  async write(attribute: string, value: string, options: { timeoutMs: number; signal?: CancelSignal }): Promise<void> {
    await using file = await this.#host.openFile(this.path(attribute), "write", options);
    await file.write(0n, encodeUtf8(value), options);
  }
}
