import { type SecretDocument, writeSecret } from "@cistern/documents";
import { decodeUtf8, encodeUtf8 } from "@cistern/protocol";
import { type Directory, HostError, isLeftoverOfAtomicWrite } from "../host/index.js";
import { limits } from "../limits.js";
import { refusals, systemError } from "./errors.js";

/** Reads a secret's document; `DocumentParser` is one. */
export interface SecretReader {
  secret(xml: string, validate: boolean): Promise<SecretDocument>;
}

/** Told about a file that is left aside, and why. */
export type ReportSkipped = (file: string, reason: unknown) => void;

export interface StoredSecret {
  readonly document: SecretDocument;
  readonly value: Uint8Array | null;
}

const PRIVATE = 0o600;
/** Base64 takes four bytes for three, and a person's editor adds a line end. */
const VALUE_FILE_BYTES = limits.secretValueBytes * 2;

/**
 * Secrets on disk in libvirt's own form, so that either daemon can take over from the other: `<uuid>.xml` is the
 * document without any comment before it, `<uuid>.base64` the value in Base64 without a line end.
 */
export class SecretFiles {
  readonly #directory: Directory;
  readonly #reader: SecretReader;
  readonly #reportSkipped: ReportSkipped;

  constructor(directory: Directory, reader: SecretReader, reportSkipped: ReportSkipped) {
    this.#directory = directory;
    this.#reader = reader;
    this.#reportSkipped = reportSkipped;
  }

  /** All that can be read; the rest is reported and left as it is. */
  async load(): Promise<StoredSecret[]> {
    const names = await this.#directory.names();
    for (const name of names.filter(isLeftoverOfAtomicWrite)) await this.#directory.removeFile(name);
    const files = names.filter((name) => name.endsWith(".xml")).sort();
    const loaded: StoredSecret[] = [];
    for (const file of files) {
      try {
        const xml = decodeUtf8(await this.#directory.readFile(file, limits.storedDocumentBytes));
        const document = await this.#reader.secret(xml, false);
        if (documentFile(document.uuid) !== file) throw refusals.otherFileName(file);
        loaded.push({ document, value: await this.#loadValue(document.uuid) });
      } catch (error) {
        this.#reportSkipped(`${this.#directory.path}/${file}`, error);
      }
    }
    return loaded;
  }

  async saveDocument(document: SecretDocument): Promise<void> {
    await this.#write(documentFile(document.uuid), encodeUtf8(writeSecret(document)));
  }

  async saveValue(uuid: string, value: Uint8Array): Promise<void> {
    await this.#write(valueFile(uuid), encodeUtf8(Buffer.from(value).toString("base64")));
  }

  /** The value goes first: a power cut in between leaves a secret without value, not a value without secret. */
  async remove(uuid: string): Promise<void> {
    for (const file of [valueFile(uuid), documentFile(uuid)]) {
      try {
        await this.#directory.removeFile(file);
      } catch (error) {
        if (error instanceof HostError && error.code === "ENOENT") continue;
        throw systemError(error, `cannot remove '${this.#directory.path}/${file}'`);
      }
    }
    await this.#directory.sync();
  }

  async close(): Promise<void> {
    await this.#directory.close();
  }

  async #write(file: string, content: Uint8Array): Promise<void> {
    try {
      await this.#directory.writeFileAtomically(file, content, PRIVATE);
    } catch (error) {
      throw systemError(error, `cannot write '${this.#directory.path}/${file}'`);
    }
  }

  /** A value that cannot be read is none: a wrong passphrase would be worse. */
  async #loadValue(uuid: string): Promise<Uint8Array | null> {
    const file = valueFile(uuid);
    try {
      const text = decodeUtf8(await this.#directory.readFile(file, VALUE_FILE_BYTES)).trim();
      if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new Error("it is not Base64");
      const value = new Uint8Array(Buffer.from(text, "base64"));
      if (value.length > limits.secretValueBytes) throw new Error(`it has more than ${limits.secretValueBytes} bytes`);
      return value.length === 0 ? null : value;
    } catch (error) {
      if (error instanceof HostError && error.code === "ENOENT") return null;
      this.#reportSkipped(`${this.#directory.path}/${file}`, error);
      return null;
    }
  }
}

const documentFile = (uuid: string): string => `${uuid}.xml`;
const valueFile = (uuid: string): string => `${uuid}.base64`;
