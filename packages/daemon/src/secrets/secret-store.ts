import { SECRET_USAGE_TYPES, type SecretDocument, type SecretUsageType, writeSecret } from "@cistern/documents";
import { ErrorDomain, LibvirtError, type SecretReference } from "@cistern/protocol";
import { Mutex } from "../jobs/mutex.js";
import { limits } from "../limits.js";
import { refusals } from "./errors.js";
import { type SecretEventListener, SecretEvents } from "./events.js";
import type { SecretLookup, SecretProvider } from "./provider.js";
import type { ReportSkipped, SecretFiles, SecretReader, StoredSecret } from "./secret-files.js";

const DEFINE_VALIDATE = 1;
const LIST = { ephemeral: 1, notEphemeral: 2, private: 4, notPrivate: 8 } as const;
const ALL_LIST_FLAGS = 15;

/**
 * The secrets this daemon keeps itself: in memory, and the ones that are not ephemeral on disk as well. What is in memory
 * changes after the disk did, so that a failed call has changed nothing.
 */
export class SecretStore implements SecretProvider {
  readonly #secrets = new Map<string, StoredSecret>();
  readonly #events = new SecretEvents();
  /** Around every change, from its checks to its end on disk. */
  readonly #changes = new Mutex(limits.secretChangeMs, refusals.busy);
  readonly #files: SecretFiles;
  readonly #reader: SecretReader;
  readonly #reportSkipped: ReportSkipped;

  constructor(files: SecretFiles, reader: SecretReader, reportSkipped: ReportSkipped) {
    this.#files = files;
    this.#reader = reader;
    this.#reportSkipped = reportSkipped;
  }

  /** Takes in what lies on disk. Secrets whose files are gone stay until they are undefined, as with libvirt. */
  async reload(): Promise<void> {
    await this.#changes.run(async () => {
      for (const { document, value } of await this.#files.load()) {
        try {
          const known = this.#secrets.get(document.uuid);
          this.#checkDefinable(document);
          this.#secrets.set(document.uuid, { document, value: value ?? known?.value ?? null });
        } catch (error) {
          this.#reportSkipped(`${document.uuid}.xml`, error);
        }
      }
    });
  }

  async count(): Promise<number> {
    return this.#secrets.size;
  }

  async list(flags: number): Promise<SecretReference[]> {
    LibvirtError.checkFlags(ErrorDomain.SECRET, "secretConnectListAllSecrets", flags, ALL_LIST_FLAGS);
    return [...this.#secrets.values()]
      .map(({ document }) => document)
      .filter(
        (document) =>
          isWanted(flags, document.ephemeral, LIST.ephemeral, LIST.notEphemeral) &&
          isWanted(flags, document.private, LIST.private, LIST.notPrivate),
      )
      .map(referenceTo)
      .sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
  }

  async lookupByUuid(uuid: string): Promise<SecretReference> {
    return referenceTo(this.#byUuid(uuid).document);
  }

  async lookupByUsage(usageType: number, usageId: string): Promise<SecretReference> {
    const type = SECRET_USAGE_TYPES[usageType];
    const found = type === undefined ? null : this.#byUsage(type, usageId);
    if (found === null) throw refusals.noSuchUsage(usageId);
    return referenceTo(found.document);
  }

  async define(xml: string, flags: number): Promise<SecretReference> {
    LibvirtError.checkFlags(ErrorDomain.SECRET, "secretDefineXML", flags, DEFINE_VALIDATE);
    const document = await this.#reader.secret(xml, (flags & DEFINE_VALIDATE) !== 0);
    return this.#changes.run(async () => {
      this.#checkDefinable(document);
      const known = this.#secrets.get(document.uuid);
      const value = known?.value ?? null;
      if (document.ephemeral) {
        if (known !== undefined && !known.document.ephemeral) await this.#files.remove(document.uuid);
      } else {
        if (known?.document.ephemeral && value !== null) await this.#files.saveValue(document.uuid, value);
        await this.#files.saveDocument(document);
      }
      this.#secrets.set(document.uuid, { document, value });
      const reference = referenceTo(document);
      this.#events.emit("defined", reference);
      return reference;
    });
  }

  async xmlDescription(uuid: string, flags: number): Promise<string> {
    LibvirtError.checkFlags(ErrorDomain.SECRET, "secretGetXMLDesc", flags, 0);
    return writeSecret(this.#byUuid(uuid).document);
  }

  async setValue(uuid: string, value: Uint8Array, flags: number): Promise<void> {
    if (value.length === 0) throw refusals.emptyValue();
    LibvirtError.checkFlags(ErrorDomain.SECRET, "secretSetValue", flags, 0);
    const copy = Uint8Array.from(value); // the caller's bytes lie in a network buffer that is used again
    await this.#changes.run(async () => {
      const { document, value: former } = this.#byUuid(uuid);
      if (!document.ephemeral) await this.#files.saveValue(uuid, copy);
      this.#secrets.set(uuid, { document, value: copy });
      former?.fill(0);
      this.#events.emit("valueChanged", referenceTo(document));
    });
  }

  async getValue(uuid: string, flags: number, caller: { readonly elevated: boolean }): Promise<Uint8Array> {
    LibvirtError.checkFlags(ErrorDomain.SECRET, "secretGetValue", flags, 0);
    const secret = this.#byUuid(uuid);
    if (secret.document.private && !caller.elevated) throw refusals.isPrivate();
    return copyOfValue(secret);
  }

  async undefine(uuid: string): Promise<void> {
    await this.#changes.run(async () => {
      const { document, value } = this.#byUuid(uuid);
      // An ephemeral secret may have come from a file: an administrator can put one there.
      await this.#files.remove(uuid);
      this.#secrets.delete(uuid);
      value?.fill(0);
      this.#events.emit("undefined", referenceTo(document));
    });
  }

  async passphrase(lookup: SecretLookup, usage: SecretUsageType): Promise<Uint8Array> {
    if ("uuid" in lookup) return copyOfValue(this.#byUuid(lookup.uuid));
    const found = this.#byUsage(usage, lookup.usage);
    if (found === null) throw refusals.noSuchUsage(lookup.usage);
    return copyOfValue(found);
  }

  listen(listener: SecretEventListener): () => void {
    return this.#events.listen(listener);
  }

  /** Ends when the change under way, if any, is on disk. */
  async close(): Promise<void> {
    await this.#changes.run(async () => {
      for (const { value } of this.#secrets.values()) value?.fill(0);
      this.#secrets.clear();
      await this.#files.close();
    });
  }

  #byUuid(uuid: string): StoredSecret {
    const found = this.#secrets.get(uuid);
    if (found === undefined) throw refusals.noSuchUuid(uuid);
    return found;
  }

  /** Secrets for no particular use have none that could be looked up. */
  #byUsage(type: SecretUsageType, id: string): StoredSecret | null {
    if (type === "none") return null;
    for (const secret of this.#secrets.values()) {
      if (secret.document.usage.type === type && secret.document.usage.id === id) return secret;
    }
    return null;
  }

  /** A known UUID keeps its use and stays private; another one may not take a use that is taken. */
  #checkDefinable({ uuid, usage, private: isPrivate }: SecretDocument): void {
    const known = this.#secrets.get(uuid)?.document;
    if (known === undefined) {
      const other = this.#byUsage(usage.type, usage.id);
      if (other !== null) throw refusals.usageTaken(other.document.uuid, usage.id);
      return;
    }
    // libvirt compares the id alone, so that a secret for Ceph's "x" can become one for TLS's "x".
    if (known.usage.id !== usage.id) throw refusals.otherUsage(uuid, known.usage.id);
    if (known.private && !isPrivate) throw refusals.staysPrivate();
  }
}

function referenceTo({ uuid, usage }: SecretDocument): SecretReference {
  return { uuid, usageType: SECRET_USAGE_TYPES.indexOf(usage.type), usageID: usage.id };
}

/** A copy: the store's own bytes are overwritten when the secret goes. */
function copyOfValue({ document, value }: StoredSecret): Uint8Array {
  if (value === null) throw refusals.noValue(document.uuid);
  return Uint8Array.from(value);
}

function isWanted(flags: number, is: boolean, positive: number, negative: number): boolean {
  const asked = flags & (positive | negative);
  return asked === 0 || (asked & (is ? positive : negative)) !== 0;
}
