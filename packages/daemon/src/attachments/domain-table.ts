import { setImmediate as nextTurn } from "node:timers/promises";
import type { Host } from "../host/index.js";
import { limits } from "../limits.js";
import type { Pool } from "../pools/pool.js";
import type { PoolRegistry } from "../pools/registry.js";
import type { Silences } from "./identity/silences.js";
import type { KnownDomain } from "./model.js";
import { namedUsesOf, Resolver } from "./resolver.js";
import { domainKey } from "./sources/domain-source.js";
import { type DomainUses, UseIndex } from "./use-index.js";

export interface DomainTableParts {
  readonly pools: PoolRegistry;
  readonly hostAt: (path: string) => Promise<Host>;
  readonly silences: Silences;
  /** For the log. */
  readonly warn: (text: string, error: unknown) => void;
}

/**
 * Guests with what they use. What a guest's documents name is known at once, by its name; what it really leads to is found out in
 * the background, a few guests at a time, and takes the name's place in one step.
 */
export class DomainTable {
  readonly index = new UseIndex();
  readonly #parts: DomainTableParts;
  /** By source, by `domainKey`. */
  readonly #sources = new Map<string, Map<string, DomainUses>>();
  readonly #waiting = new Set<DomainUses>();
  readonly #underWay = new Set<DomainUses>();
  #resolver: { readonly one: Resolver; readonly untilMs: number } | null = null;
  #work: Promise<void> | null = null;
  #allLookedAtMs = performance.now();
  #missingLookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: DomainTableParts) {
    this.#parts = parts;
  }

  *[Symbol.iterator](): Iterator<DomainUses> {
    for (const domains of this.#sources.values()) yield* domains.values();
  }

  count(source: string): number {
    return this.#sources.get(source)?.size ?? 0;
  }

  put(domain: KnownDomain): void {
    const domains = this.#sources.get(domain.source) ?? new Map<string, DomainUses>();
    this.#sources.set(domain.source, domains);
    const before = domains.get(domainKey(domain));
    const isSame = before !== undefined && hasSameDocuments(before.domain, domain);
    // Until it is known better, what was used before is used as well.
    const uses = isSame ? before.uses : [...namedUsesOf(domain), ...(before?.uses ?? [])];
    const isResolved = isSame && !this.#waiting.delete(before) && !this.#underWay.has(before);
    const owner = this.#exchange(before, { domain, uses });
    if (!isResolved) this.#resolve(owner);
  }

  remove(source: string, domain: Pick<KnownDomain, "name" | "uuid">): void {
    this.#removeKey(source, domainKey(domain));
  }

  /** Its volumes have come or gone: only what could not be found before, and what is named by the pool, may lead elsewhere now. */
  poolChanged(pool: Pool): void {
    for (const owner of this) {
      if (owner.uses.some(({ problem, named }) => problem !== null || named?.pool === pool.name)) this.#resolve(owner);
    }
  }

  /** Looks at everything anew, unless that was done lately: files may have been exchanged without a word. */
  lookAtAll(): void {
    const nowMs = performance.now();
    if (nowMs - this.#allLookedAtMs < limits.attachmentReportMs) {
      this.lookAtMissing();
      return;
    }
    this.#allLookedAtMs = nowMs;
    this.#missingLookedAtMs = nowMs;
    this.#resolver = null;
    for (const owner of this) this.#resolve(owner);
  }

  /** Of guests with something that could not be found, looks at everything anew, unless that was done lately. */
  lookAtMissing(): void {
    const nowMs = performance.now();
    if (nowMs - this.#missingLookedAtMs < limits.attachmentMissingMs) return;
    this.#missingLookedAtMs = nowMs;
    // What it found before shall not be taken up.
    this.#resolver = null;
    for (const owner of this) {
      if (owner.uses.some(({ problem }) => problem !== null)) this.#resolve(owner);
    }
  }

  /** Resolves when all that is known has been resolved. */
  async resolved(): Promise<void> {
    while (this.#work !== null) await this.#work;
  }

  forgetWaiting(): void {
    this.#waiting.clear();
  }

  #removeKey(source: string, key: string): void {
    const domains = this.#sources.get(source);
    const owner = domains?.get(key);
    if (owner === undefined) return;
    domains?.delete(key);
    this.#waiting.delete(owner);
    this.index.remove(owner);
  }

  #exchange(before: DomainUses | undefined, owner: DomainUses): DomainUses {
    if (before !== undefined) this.index.remove(before);
    this.#sources.get(owner.domain.source)?.set(domainKey(owner.domain), owner);
    this.index.add(owner);
    return owner;
  }

  #resolve(owner: DomainUses): void {
    this.#waiting.add(owner);
    this.#work ??= this.#run();
  }

  async #run(): Promise<void> {
    // What is told together is taken together.
    await nextTurn();
    while (this.#waiting.size > 0) {
      await Promise.all(Array.from({ length: limits.attachmentLooksAtOnce }, () => this.#resolveWaiting()));
    }
    this.#work = null;
  }

  async #resolveWaiting(): Promise<void> {
    for (const owner of this.#waiting) {
      this.#waiting.delete(owner);
      this.#underWay.add(owner);
      try {
        const uses = await this.#currentResolver().usesOf(owner.domain);
        // It may have changed meanwhile: then it waits again, or is gone.
        if (this.#current(owner) === owner) this.#exchange(owner, { domain: owner.domain, uses });
      } catch (error) {
        this.#parts.warn(`could not find out what the guest '${owner.domain.name}' uses`, error);
      } finally {
        this.#underWay.delete(owner);
      }
    }
  }

  #currentResolver(): Resolver {
    const nowMs = performance.now();
    if (this.#resolver === null || nowMs > this.#resolver.untilMs) {
      const one = new Resolver(this.#parts.hostAt, this.#parts.pools, this.#parts.silences);
      this.#resolver = { one, untilMs: nowMs + limits.attachmentLooksMs };
    }
    return this.#resolver.one;
  }

  #current({ domain }: DomainUses): DomainUses | undefined {
    return this.#sources.get(domain.source)?.get(domainKey(domain));
  }
}

/** Only its state may differ. */
function hasSameDocuments(before: KnownDomain, after: KnownDomain): boolean {
  if (before.live === after.live && before.persistent === after.persistent) return true;
  return JSON.stringify([before.live, before.persistent]) === JSON.stringify([after.live, after.persistent]);
}
