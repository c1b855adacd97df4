import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Directory, HostError } from "../../host/index.js";
import { limits } from "../../limits.js";
import type { KnownDomain, SourceFacts } from "../model.js";
import { inTurns } from "../turns.js";
import { domainKey, type SourceListener } from "./domain-source.js";

export interface MemoryParts {
  /** Private; outlives a restart. */
  readonly directory: Directory;
  readonly warn: (text: string, error: unknown) => void;
}

/**
 * What a source told last, and how it is: in memory, and in a file of its own for the next daemon, to which it may not answer. A
 * line of JSON for the source and for each guest.
 */
export class SourceMemory {
  readonly #parts: MemoryParts;
  readonly #domains = new Map<string, KnownDomain>();
  #facts: SourceFacts;
  #listener: SourceListener | null = null;
  #timer: NodeJS.Timeout | null = null;
  #saving: Promise<void> = Promise.resolve();

  constructor(name: string, kind: SourceFacts["kind"], parts: MemoryParts) {
    this.#parts = parts;
    this.#facts = { name, kind, answers: false, since: Date.now(), reason: "it was not asked yet", domains: 0 };
  }

  get facts(): SourceFacts {
    return { ...this.#facts, domains: this.#domains.size };
  }

  /** What it told an earlier daemon. */
  async open(listener: SourceListener): Promise<void> {
    this.#listener = listener;
    await inTurns(await this.#load(), 1, async (domain) => {
      this.#domains.set(domainKey(domain), domain);
      listener.one(domain);
    });
  }

  get(domain: Pick<KnownDomain, "name" | "uuid">): KnownDomain | undefined {
    return this.#domains.get(domainKey(domain));
  }

  domains(): readonly KnownDomain[] {
    return [...this.#domains.values()];
  }

  one(domain: KnownDomain): void {
    this.#domains.set(domainKey(domain), domain);
    this.#listener?.one(domain);
    this.#saveSoon();
  }

  gone(domain: Pick<KnownDomain, "name" | "uuid">): void {
    if (!this.#domains.delete(domainKey(domain))) return;
    this.#listener?.gone(domain);
    this.#saveSoon();
  }

  answers(): void {
    if (!this.#facts.answers) this.#facts = { ...this.#facts, answers: true, since: Date.now(), reason: null };
  }

  silent(reason: string): void {
    if (this.#facts.answers) {
      this.#parts.warn(`the source '${this.#facts.name}' of guests does not answer any more`, reason);
      this.#facts = { ...this.#facts, answers: false, since: Date.now() };
    }
    this.#facts = { ...this.#facts, reason };
  }

  async close(): Promise<void> {
    if (this.#timer !== null) {
      clearTimeout(this.#timer);
      this.#save();
    }
    await this.#saving;
  }

  #saveSoon(): void {
    this.#timer ??= setTimeout(() => this.#save(), limits.sourceSaveMs).unref();
  }

  #save(): void {
    this.#timer = null;
    this.#saving = this.#saving
      .then(() => this.#write())
      .catch((error: unknown) => this.#parts.warn(`could not keep what '${this.#facts.name}' told of guests`, error));
  }

  async #write(): Promise<void> {
    const lines = [JSON.stringify({ source: this.#facts.name })];
    for (const domain of [...this.#domains.values()]) {
      lines.push(JSON.stringify(domain));
      if (lines.length % DOMAINS_PER_TURN === 0) await nextTurn();
    }
    await this.#parts.directory.writeFileAtomically(this.#file, Buffer.from(`${lines.join("\n")}\n`), 0o600);
  }

  async #load(): Promise<KnownDomain[]> {
    try {
      const bytes = await this.#parts.directory.readFile(this.#file, limits.sourceMemoryBytes);
      const domains: KnownDomain[] = [];
      for (const line of Buffer.from(bytes).toString("utf8").split("\n").slice(1)) {
        if (line === "") continue;
        domains.push(JSON.parse(line) as KnownDomain);
        if (domains.length % DOMAINS_PER_TURN === 0) await nextTurn();
      }
      return domains;
    } catch (error) {
      if (!(error instanceof HostError) || error.code !== "ENOENT") {
        this.#parts.warn(`could not read what '${this.#facts.name}' told of guests`, error);
      }
      return [];
    }
  }

  get #file(): string {
    return `${createHash("sha256").update(this.#facts.name).digest("hex").slice(0, 32)}.jsonl`;
  }
}

/** Some 5 KB of text each. */
const DOMAINS_PER_TURN = 50;
