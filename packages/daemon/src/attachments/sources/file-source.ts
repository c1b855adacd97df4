import type { DomainDocument } from "@cistern/documents";
import { HostError, type ScanEvidence } from "../../host/index.js";
import { limits } from "../../limits.js";
import type { KnownDomain, SourceFacts } from "../model.js";
import { inTurns } from "../turns.js";
import type { DocumentFiles } from "./document-files.js";
import { type DomainSource, domainKey, type SourceListener } from "./domain-source.js";
import { domainOfFile, unreadDomain } from "./known-domain.js";
import type { SourceMemory } from "./source-memory.js";

/** Reads a document; rejects for what is none. */
export type ReadDomain = (xml: string) => Promise<DomainDocument>;

/** Guests by files of their documents, which are looked at again every few seconds. */
export class FileSource implements DomainSource {
  readonly #files: DocumentFiles;
  readonly #memory: SourceMemory;
  readonly #read: ReadDomain;
  /** By the file's name. */
  readonly #evidence = new Map<string, ScanEvidence>();
  readonly #domains = new Map<string, KnownDomain>();
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;
  #hasRead = false;
  #reading: Promise<void> | null = null;

  constructor(files: DocumentFiles, memory: SourceMemory, read: ReadDomain) {
    this.#files = files;
    this.#memory = memory;
    this.#read = read;
  }

  get facts(): SourceFacts {
    return this.#memory.facts;
  }

  async open(listener: SourceListener): Promise<void> {
    await this.#memory.open(listener);
    await this.#poll();
  }

  /** What is read just now may have been looked at before the call. */
  async catchUp(): Promise<void> {
    await this.#reading;
    await this.#readAll();
  }

  async refresh(_domain: Pick<KnownDomain, "name" | "uuid">, _signal: AbortSignal): Promise<boolean> {
    await this.catchUp();
    return this.facts.answers;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#reading;
    await this.#memory.close();
  }

  async #poll(): Promise<void> {
    await this.#readAll();
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.#poll(), limits.sourcePollMs).unref();
  }

  #readAll(): Promise<void> {
    this.#reading ??= this.#look().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #look(): Promise<void> {
    try {
      const files = await this.#files.read(this.#evidence);
      const names = new Set(files.map(({ name }) => name));
      for (const name of [...this.#domains.keys()]) if (!names.has(name)) this.#forget(name);
      await inTurns(files, 1, async ({ name, evidence, content }) => {
        if (content !== null) this.#take(name, evidence, await this.#domainOf(name, content));
      });
      // An earlier daemon may have known others.
      if (!this.#hasRead) this.#forgetOthers();
      this.#hasRead = true;
      this.#memory.answers();
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#memory.silent(error.message);
    }
  }

  async #domainOf(
    name: string,
    content: { readonly xml: string } | { readonly problem: string },
  ): Promise<KnownDomain> {
    const source = this.facts.name;
    const before = this.#domains.get(name);
    if ("problem" in content) return unreadDomain(source, name, before, content.problem);
    try {
      return domainOfFile(source, await this.#read(content.xml));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return unreadDomain(source, name, before, `The document "${name}.xml" cannot be read: ${reason}`);
    }
  }

  #take(name: string, evidence: ScanEvidence | null, domain: KnownDomain): void {
    const before = this.#domains.get(name);
    if (before !== undefined && domainKey(before) !== domainKey(domain)) this.#forget(name);
    if (evidence === null) this.#evidence.delete(name);
    else this.#evidence.set(name, evidence);
    this.#domains.set(name, domain);
    this.#memory.one(domain);
  }

  #forgetOthers(): void {
    const keys = new Set([...this.#domains.values()].map(domainKey));
    for (const domain of this.#memory.domains()) if (!keys.has(domainKey(domain))) this.#memory.gone(domain);
  }

  #forget(name: string): void {
    const domain = this.#domains.get(name);
    this.#evidence.delete(name);
    this.#domains.delete(name);
    if (domain === undefined) return;
    this.#memory.gone(domain);
    // Another file may be of the same guest.
    for (const other of this.#domains.values()) if (domainKey(other) === domainKey(domain)) this.#memory.one(other);
  }
}
