import { limits } from "../limits.js";
import type { PoolEvents } from "../pools/events.js";
import type { Pool } from "../pools/pool.js";
import type { Volume } from "../pools/volume.js";
import { atMost } from "./at-most.js";
import { DomainTable, type DomainTableParts } from "./domain-table.js";
import { Silences } from "./identity/silences.js";
import type { Attachment, Attachments, KnownDomain, SourceFacts } from "./model.js";
import type { DomainSource } from "./sources/domain-source.js";
import type { Use } from "./use.js";
import type { DomainUses } from "./use-index.js";
import { VolumeIdentities } from "./volume-identities.js";
import { isInside, volumesOf } from "./volume-match.js";

export interface AttachmentParts extends Omit<DomainTableParts, "silences"> {
  readonly poolEvents: PoolEvents;
}

/**
 * The map of who uses what. A change of a guest resolves that guest anew and no other. Volumes are matched where they are asked
 * for, so that a change of a pool costs nothing here.
 */
export class AttachmentMap implements Attachments {
  readonly #parts: AttachmentParts;
  readonly #sources: readonly DomainSource[];
  readonly #identities: VolumeIdentities;
  readonly #table: DomainTable;
  #stopListening: () => void = () => {};
  #sweep: NodeJS.Timeout | undefined;

  constructor(sources: readonly DomainSource[], parts: AttachmentParts) {
    this.#sources = sources;
    this.#parts = parts;
    const silences = new Silences();
    this.#identities = new VolumeIdentities(parts.pools, parts.hostAt, silences);
    this.#table = new DomainTable({ ...parts, silences });
  }

  /**
   * Reads all sources and keeps what they tell fresh. Resolves when each has been read or does not answer.
   * @throws ConfigurationError for what can be no source at all
   */
  async open(): Promise<void> {
    this.#stopListening = this.#parts.poolEvents.listen(({ pool: { uuid } }) => {
      const pool = this.#parts.pools.findByUuid(uuid);
      if (pool === undefined) return;
      this.#identities.forget(pool);
      this.#table.poolChanged(pool);
      void this.#identities.catchUp();
    });
    this.#sweep = setInterval(() => this.#table.lookAtAll(), limits.attachmentSweepMs).unref();
    await Promise.all(
      this.#sources.map((source) => {
        const { name } = source.facts;
        return source.open({
          one: (domain) => this.#table.put(domain),
          gone: (domain) => this.#table.remove(name, domain),
        });
      }),
    );
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    this.#stopListening();
    await Promise.all(this.#sources.map((source) => source.close()));
    this.#table.forgetWaiting();
  }

  sources(): readonly SourceFacts[] {
    return this.#sources.map(({ facts }) => ({ ...facts, domains: this.#table.count(facts.name) }));
  }

  domains(): readonly KnownDomain[] {
    return [...this.#table].map(({ domain }) => domain);
  }

  all(): readonly Attachment[] {
    return this.#those(() => true);
  }

  ofDomain(nameOrUuid: string): readonly Attachment[] {
    const uuid = nameOrUuid.toLowerCase();
    return this.#those(({ domain }) => domain.name === nameOrUuid || domain.uuid === uuid);
  }

  ofVolume(poolName: string, volumeName: string): readonly Attachment[] {
    const pool = this.#parts.pools.findByName(poolName);
    const volume = pool?.volumes.get(volumeName);
    if (pool === undefined || volume === undefined) return [];
    void this.#identities.catchUp();
    return this.#table.index.ofVolume(pool, volume).map(({ owner, use }) => this.#attachment(owner, use));
  }

  /** As `ofVolume`, after a fresh look at what the volume leads to. */
  async ofVolumeNow(pool: Pool, volume: Volume, timeoutMs: number): Promise<readonly Attachment[]> {
    const identity = (await this.#identities.look(volume, Math.max(1, timeoutMs))) ?? volume.identity;
    const entries = this.#table.index.ofVolume(pool, volume, identity);
    return entries.map(({ owner, use }) => this.#attachment(owner, use));
  }

  ofPool(poolName: string): readonly Attachment[] {
    const pool = this.#parts.pools.findByName(poolName);
    return pool === undefined ? [] : this.#inPool(pool, null);
  }

  /** As `ofPool`, also where the pool's directory is reached by a symlink. */
  async ofPoolNow(pool: Pool): Promise<readonly Attachment[]> {
    const { path } = pool.live.target;
    if (path === null || !path.startsWith("/")) return this.#inPool(pool, null);
    const host = await this.#parts.hostAt(path);
    // By the mount table and links alone: it waits for no storage that can hang.
    return this.#inPool(pool, await host.realPath(path));
  }

  unknowns(): readonly string[] {
    const silent = this.sources().filter(({ answers }) => !answers);
    const ofGuests = [...this.#table].flatMap(({ domain: { name, problem }, uses }) => {
      const unknown = uses.filter(({ isUnknown }) => isUnknown);
      return [
        ...(problem === null ? [] : [`What the guest "${name}" uses is not all known: ${problem}`]),
        ...unknown.map(
          (use) => `What the guest "${name}" uses as ${use.target ?? use.place} is not all known: ${use.problem}`,
        ),
      ];
    });
    return [...silent.map(({ name, reason }) => `The source "${name}" does not answer: ${reason}`), ...ofGuests];
  }

  lookAgain(at: "missing" | "all"): void {
    if (at === "missing") this.#table.lookAtMissing();
    else this.#table.lookAtAll();
  }

  async settled(timeoutMs: number): Promise<void> {
    await atMost(this.#settle(), timeoutMs);
  }

  async refreshDomain(domain: Pick<KnownDomain, "source" | "name" | "uuid">, timeoutMs: number): Promise<boolean> {
    const source = this.#sources.find(({ facts }) => facts.name === domain.source);
    if (source === undefined || timeoutMs <= 0) return false;
    const signal = AbortSignal.timeout(Math.ceil(timeoutMs));
    const refreshed = source.refresh(domain, signal).then(async (answered) => {
      await this.#table.resolved();
      return answered;
    });
    return (await atMost(refreshed, timeoutMs)) === true;
  }

  #inPool(pool: Pool, realTarget: string | null): Attachment[] {
    return this.#those(
      () => true,
      (use) => isInside(use, pool, realTarget),
    );
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#sources.map((source) => source.catchUp()));
    await Promise.all([this.#table.resolved(), this.#identities.catchUp()]);
  }

  #those(isWanted: (owner: DomainUses) => boolean, isWantedUse: (use: Use) => boolean = () => true): Attachment[] {
    void this.#identities.catchUp();
    return [...this.#table]
      .filter(isWanted)
      .flatMap((owner) => owner.uses.filter(isWantedUse).map((use) => this.#attachment(owner, use)));
  }

  #attachment({ domain }: DomainUses, use: Use): Attachment {
    const volumes = volumesOf(use, this.#parts.pools);
    // One by one: copying with a spread takes ten times as long, and there may be ten thousand.
    return {
      domain: { source: domain.source, name: domain.name, uuid: domain.uuid, state: domain.state },
      role: use.role,
      format: use.format,
      isReadOnly: use.isReadOnly,
      isShareable: use.isShareable,
      target: use.target,
      bus: use.bus,
      address: use.address,
      when: use.when,
      place: use.place,
      identity: use.identity,
      through: use.through,
      problem: use.problem,
      volumes: volumes.map(({ pool, volume }) => ({ pool: pool.name, volume: volume.name })),
    };
  }
}
