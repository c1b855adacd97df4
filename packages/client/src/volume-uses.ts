import {
  AttachFlags,
  cistern,
  type WireAttachment,
  type WireConflict,
  type WireDomainSource,
  type WireExplanation,
  type WireOrphan,
  type WirePoolProposal,
  type WireReachFault,
} from "@cistern/protocol";
import type { CallOptions } from "./channel.js";
import type { DeviceChange } from "./domain.js";
import { readTime } from "./job.js";
import type { OwnProgram } from "./own-program.js";
import type { Pool } from "./pool.js";
import type { Volume } from "./volume.js";

/** A guest's use of a file, a device or a remote image. Words that are not documented there come from newer daemons. */
export interface Attachment extends Omit<WireAttachment, "address"> {
  /** Where the guest has it, as its document says: `{ type: "pci", slot: "0x05" … }`; null: it does not, or it is no disk. */
  readonly address: Readonly<Record<string, string>> | null;
}
/** Something that costs data or keeps a guest from running. */
export type AttachmentConflict = WireConflict;
/** What keeps a volume, and what would break without it. */
export interface VolumeExplanation extends Omit<WireExplanation, "attachments"> {
  /** Who uses it. */
  readonly attachments: readonly Attachment[];
}
/** A pool that would have what guests use outside all pools. */
export type PoolProposal = WirePoolProposal;
/** Why guests cannot use something, and how that is mended. */
export type ReachFault = WireReachFault;

/** Where guests' documents come from, and how it is. */
export interface DomainSource extends Omit<WireDomainSource, "since"> {
  /** Since when it has answered, or has not. */
  readonly since: Date;
}

/** A list, and why it may not be all: sources that do not answer, documents that could not be read. */
export interface WithDoubts<Item> {
  readonly items: readonly Item[];
  /** One sentence each; none: it is all. */
  readonly doubts: readonly string[];
  /** False: the daemon was not told where guests are, which is the one doubt. */
  readonly isAnybodyAsked: boolean;
}

/** A volume that nobody is known to use. */
export interface Orphan {
  readonly pool: string;
  readonly volume: string;
  readonly path: string | null;
  readonly capacityBytes: bigint;
  readonly allocationBytes: bigint;
  /** Of its content; null: not known. */
  readonly modifiedAt: Date | null;
}

export interface OrphanPage extends WithDoubts<Orphan> {
  /** Of all pages. */
  readonly total: number;
  /** Who was asked. */
  readonly sources: readonly DomainSource[];
}

/** What to define so that pools have what guests use. */
export interface AdoptionPlan {
  readonly proposals: readonly PoolProposal[];
  /** What no pool can have, with the reason. */
  readonly left: readonly { readonly place: string; readonly reason: string }[];
}

/** Whether guests can open what pools hold. */
export interface ReachReport {
  /** Whom guests run as. */
  readonly user: string;
  readonly group: string;
  /** libvirt gives files to that user when a guest starts. */
  readonly takesOwnership: boolean;
  /** How many volumes were looked at. */
  readonly volumes: number;
  readonly faults: readonly ReachFault[];
}

export interface AttachSettings extends DeviceChange {
  /** `vdb`; without it the first that is free. */
  readonly target?: string | undefined;
  /** `virtio`, `scsi`, `sata` …; without it what fits the target. */
  readonly bus?: string | undefined;
  readonly readOnly?: boolean | undefined;
  /** Others that call it shareable too may write to it as well. */
  readonly shareable?: boolean | undefined;
}

/** Which guest uses which volume. Only cisternd knows: any other daemon throws 3 "not a Cistern daemon". */
export class VolumeUses {
  readonly #own: OwnProgram;

  /** @internal */
  constructor(own: OwnProgram) {
    this.#own = own;
  }

  /** Where the daemon hears of guests. None: it was not told, and knows of no uses. */
  async domainSources(options?: CallOptions): Promise<DomainSource[]> {
    return (await this.#own.call(cistern.domainSourceList, undefined, options)).sources.map(readSource);
  }

  /** What guests use: of one guest (by name or UUID; 42 where no source knows it), of one volume, or all. */
  async attachments(
    filter: { readonly domain?: string | undefined; readonly volume?: Volume | undefined } = {},
    options?: CallOptions,
  ): Promise<WithDoubts<Attachment>> {
    const about = { domain: filter.domain ?? null, vol: filter.volume?.reference ?? null };
    return allPages(async (offset) => {
      const page = await this.#own.call(cistern.attachmentList, { ...about, offset }, options);
      return { ...page, items: page.attachments.map(readAttachment) };
    });
  }

  /** Who keeps a volume, why it cannot be deleted, and what would break. */
  async explain(volume: Volume, options?: CallOptions): Promise<VolumeExplanation> {
    const { explanation } = await this.#own.call(cistern.volumeExplain, { vol: volume.reference }, options);
    return { ...explanation, attachments: explanation.attachments.map(readAttachment) };
  }

  /** Everything about guests and volumes that costs data or keeps a guest from running. */
  async conflicts(options?: CallOptions): Promise<WithDoubts<AttachmentConflict>> {
    return allPages(async (offset) => {
      const page = await this.#own.call(cistern.conflictList, { offset }, options);
      return { ...page, items: page.conflicts };
    });
  }

  /** Volumes that nobody is known to use, page by page. With `doubts`, "unused" is not known of any. */
  async *orphans(options?: CallOptions): AsyncIterableIterator<OrphanPage> {
    for (let seen = 0; ; ) {
      const page = await this.#own.call(cistern.orphanList, { offset: seen }, options);
      const { orphans, total, doubts, isAnybodyAsked } = page;
      yield { items: orphans.map(readOrphan), total, doubts, isAnybodyAsked, sources: page.sources.map(readSource) };
      seen += orphans.length;
      if (orphans.length === 0 || seen >= total) return;
    }
  }

  /** The pools that would have what guests use outside all pools: at or below a path, of one guest, or all. Changes nothing. */
  async adoptionPlan(
    of: { readonly path?: string | undefined; readonly domain?: string | undefined } = {},
    options?: CallOptions,
  ): Promise<AdoptionPlan> {
    return this.#own.call(cistern.adoptionPlan, { path: of.path ?? null, domain: of.domain ?? null }, options);
  }

  /** Whether the user that guests run as reaches a pool's volumes. `user`, `group`: instead of what libvirt is told. */
  async checkReach(
    pool: Pool,
    as: { readonly user?: string | undefined; readonly group?: string | undefined } = {},
    options?: CallOptions,
  ): Promise<ReachReport> {
    const args = { pool: pool.reference, user: as.user ?? null, group: as.group ?? null };
    return this.#own.call(cistern.poolCheckReach, args, options);
  }

  /**
   * Gives a volume to a guest; says as what. 55 where somebody else uses it, 42 without such a guest, and what its hypervisor
   * answers.
   */
  async attach(
    volume: Volume,
    domain: string,
    settings: AttachSettings = {},
    options?: CallOptions,
  ): Promise<{ readonly target: string; readonly bus: string }> {
    const { target, bus, readOnly, shareable } = settings;
    const flags =
      changeFlags(settings) |
      (readOnly === true ? AttachFlags.READ_ONLY : 0) |
      (shareable === true ? AttachFlags.SHAREABLE : 0);
    const args = { vol: volume.reference, domain, target: target ?? null, bus: bus ?? null, flags };
    return this.#own.call(cistern.volumeAttach, args, options);
  }

  /** Takes it away. `isReleased` is false where the running guest did not let go in time: it still uses the volume. */
  async detach(
    volume: Volume,
    domain: string,
    settings: DeviceChange & { readonly target?: string | undefined } = {},
    options?: CallOptions,
  ): Promise<{ readonly target: string; readonly isReleased: boolean }> {
    const args = { vol: volume.reference, domain, target: settings.target ?? null, flags: changeFlags(settings) };
    return this.#own.call(cistern.volumeDetach, args, options);
  }

  /** Whether destructive calls of this connection are refused also where a guest is only defined with a volume. */
  async refuseDefined(refuses: boolean, options?: CallOptions): Promise<void> {
    await this.#own.call(cistern.setRefuseDefined, { refuses }, options);
  }
}

async function allPages<Item>(
  pageFrom: (offset: number) => Promise<WithDoubts<Item> & { readonly total: number }>,
): Promise<WithDoubts<Item>> {
  const items: Item[] = [];
  while (true) {
    const page = await pageFrom(items.length);
    items.push(...page.items);
    if (page.items.length === 0 || items.length >= page.total) {
      return { items, doubts: page.doubts, isAnybodyAsked: page.isAnybodyAsked };
    }
  }
}

function changeFlags({ live, config }: DeviceChange): number {
  return (live === true ? AttachFlags.LIVE : 0) | (config === true ? AttachFlags.CONFIG : 0);
}

function readAttachment({ address, ...attachment }: WireAttachment): Attachment {
  const attributes = address.map(({ name, value }) => [name, value] as const);
  return { ...attachment, address: attributes.length === 0 ? null : Object.fromEntries(attributes) };
}

function readSource({ since, ...source }: WireDomainSource): DomainSource {
  return { ...source, since: readTime(since) ?? new Date(0) };
}

function readOrphan({ capacity, allocation, modified, ...orphan }: WireOrphan): Orphan {
  const modifiedAt = modified === 0n ? null : new Date(Number(modified / 1_000_000n));
  return { ...orphan, capacityBytes: capacity, allocationBytes: allocation, modifiedAt };
}
