import type { KnownDomain, SourceFacts } from "../model.js";

/** Hears of a source's guests. */
export interface SourceListener {
  /** One guest, as it is from now on. */
  one(domain: KnownDomain): void;
  /** There is no such guest any more. */
  gone(domain: Pick<KnownDomain, "name" | "uuid">): void;
}

/** Where guests' documents come from. */
export interface DomainSource {
  readonly facts: SourceFacts;
  /**
   * Reads all of it, and keeps it fresh until it is closed. Resolves when that was done or could not be done.
   * @throws ConfigurationError for what can be no source at all
   */
  open(listener: SourceListener): Promise<void>;
  /** What has changed there is read now; where it tells of changes by itself, this is done already. Never rejects. */
  catchUp(): Promise<void>;
  /** Reads one guest afresh and tells the listener; false: the source does not answer. Never rejects. */
  refresh(domain: Pick<KnownDomain, "name" | "uuid">, signal: AbortSignal): Promise<boolean>;
  close(): Promise<void>;
}

/** What tells one guest of a source from the others. Definitions and status of one guest may come with and without a UUID. */
export function domainKey({ name, uuid }: Pick<KnownDomain, "name" | "uuid">): string {
  return uuid ?? `name:${name}`;
}
