import { createHash } from "node:crypto";
import type { CallOptions, Domain } from "@cistern/client";
import type { DomainDocument } from "@cistern/documents";
import { ErrorCode, LibvirtError } from "@cistern/protocol";
import type { KnownDomain } from "../model.js";
import type { ReadDomain } from "./file-source.js";
import { stateOf, unreadDomain } from "./known-domain.js";
import type { SourceMemory } from "./source-memory.js";

/** Of one guest, while there are any. */
interface Readings {
  underWay: number;
  /** How many were begun. */
  begun: number;
  /** The newest that was told of. */
  told: number;
}

interface ReadText {
  readonly hash: string;
  readonly document: DomainDocument;
}

/** Reads guests of a hypervisor: what they use now and what they are defined with. Text that is as before is not parsed again. */
export class DomainReader {
  readonly #memory: SourceMemory;
  readonly #parse: ReadDomain;
  /** By UUID. */
  readonly #readings = new Map<string, Readings>();
  readonly #texts = new Map<string, ReadText>();

  constructor(memory: SourceMemory, parse: ReadDomain) {
    this.#memory = memory;
    this.#parse = parse;
  }

  /**
   * Tells the memory what the guest is now, or that it is gone: when it resolves, the memory is not older than this call. A
   * reading that comes after one that was begun later is no news. Rejects where the hypervisor does not answer.
   */
  async read(domain: Domain, options: CallOptions): Promise<void> {
    const { uuid } = domain;
    const readings = this.#readings.get(uuid) ?? { underWay: 0, begun: 0, told: 0 };
    this.#readings.set(uuid, readings);
    const turn = ++readings.begun;
    readings.underWay++;
    try {
      const known = await this.#known(domain, options);
      if (turn < readings.told) return;
      readings.told = turn;
      this.#tell(domain, known);
    } finally {
      readings.underWay--;
      if (readings.underWay === 0) this.#readings.delete(uuid);
    }
  }

  #tell({ uuid, name }: Domain, known: KnownDomain | null): void {
    if (known !== null) {
      this.#memory.one(known);
      return;
    }
    for (const kind of ["live", "persistent"]) this.#texts.delete(`${kind} ${uuid}`);
    this.#memory.gone({ name, uuid });
  }

  /** null: there is no such guest. */
  async #known(domain: Domain, options: CallOptions): Promise<KnownDomain | null> {
    const { uuid, name } = domain;
    try {
      const [state, isActive, isPersistent] = await Promise.all([
        domain.state(options),
        domain.isActive(options),
        domain.isPersistent(options),
      ]);
      const live = isActive ? await domain.xml({}, options) : null;
      const persistent = isPersistent ? await domain.xml({ inactive: true }, options) : null;
      return await this.#parsed({ name, uuid, state: stateOf(state) }, live, persistent);
    } catch (error) {
      if (error instanceof LibvirtError && error.code === ErrorCode.NO_DOMAIN) return null;
      throw error;
    }
  }

  async #parsed(
    domain: Pick<KnownDomain, "name" | "uuid" | "state">,
    liveXml: string | null,
    persistentXml: string | null,
  ): Promise<KnownDomain> {
    const { name: source } = this.#memory.facts;
    try {
      const live = liveXml === null ? null : await this.#document(`live ${domain.uuid}`, liveXml);
      const persistent =
        persistentXml === null ? null : await this.#document(`persistent ${domain.uuid}`, persistentXml);
      return { source, ...domain, isLive: live !== null, live, persistent, problem: null };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const before = this.#memory.get(domain) ?? unreadDomain(source, domain.name, undefined, reason);
      return { ...before, ...domain, problem: `its document cannot be read: ${reason}` };
    }
  }

  async #document(key: string, xml: string): Promise<DomainDocument> {
    const hash = createHash("sha1").update(xml).digest("base64");
    const before = this.#texts.get(key);
    if (before?.hash === hash) return before.document;
    const document = await this.#parse(xml);
    this.#texts.set(key, { hash, document });
    return document;
  }
}
