import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Requester } from "../jobs/job-facts.js";
import { limits } from "../limits.js";
import type { Pool } from "../pools/pool.js";
import type { Destruction, UseGuard } from "../pools/use-guard.js";
import type { Volume } from "../pools/volume.js";
import { isNow, writesRaw } from "./attachment.js";
import type { Attachment, Attachments } from "./model.js";

/** What the guard needs of the map. */
export interface GuardedAttachments extends Pick<Attachments, "settled" | "refreshDomain" | "unknowns"> {
  /** As `ofVolume`, after a fresh look at what the volume leads to. */
  ofVolumeNow(pool: Pool, volume: Volume, timeoutMs: number): Promise<readonly Attachment[]>;
  /** All in the pool and its directory. */
  ofPoolNow(pool: Pool): Promise<readonly Attachment[]>;
}

export interface GuardSettings {
  /** Whether what a guest is only defined with is refused too, where the caller has no wish. */
  readonly refusesDefinedUses: () => boolean;
  readonly warn: (text: string, facts: Readonly<Record<string, unknown>>) => void;
}

/**
 * Refuses to destroy what guests use. What a guest uses counts as its source told last, whether or not the source answers now;
 * before a refusal the guest is read afresh, so that one that has let go of a volume a moment ago keeps nobody from it.
 */
export class AttachmentGuard implements UseGuard {
  readonly #attachments: GuardedAttachments;
  readonly #settings: GuardSettings;

  constructor(attachments: GuardedAttachments, settings: GuardSettings) {
    this.#attachments = attachments;
    this.#settings = settings;
  }

  async volume(pool: Pool, volume: Volume, destruction: Destruction, requester: Requester): Promise<void> {
    const name = `${pool.name}/${volume.name}`;
    await this.#refuse(
      `volume '${volume.name}' is still in use`,
      `${destruction} of volume '${name}'`,
      requester,
      (leftMs) => this.#attachments.ofVolumeNow(pool, volume, leftMs),
    );
  }

  async probedFormat(pool: Pool, volume: Volume): Promise<void> {
    const { format } = volume.document.target;
    const uses = await this.#usesAfter(writesRaw, (leftMs) => this.#attachments.ofVolumeNow(pool, volume, leftMs));
    const writer = uses.find(writesRaw);
    if (writer === undefined) return;
    throw inUse(
      `volume '${volume.name}' begins like an image of format ${format}, but ${sentenceOf(writer)}, whose document says raw: ` +
        "the guest may have written that beginning, and it is not trusted",
    );
  }

  async pool(pool: Pool, requester: Requester): Promise<void> {
    await this.#refuse(`pool '${pool.name}' is still in use`, `stop of pool '${pool.name}'`, requester, () =>
      this.#attachments.ofPoolNow(pool),
    );
  }

  async #refuse(
    what: string,
    destruction: string,
    { refusesDefinedUses = this.#settings.refusesDefinedUses() }: Requester,
    usesNow: (leftMs: number) => Promise<readonly Attachment[]>,
  ): Promise<void> {
    const isLive = ({ when }: Attachment): boolean => isNow(when);
    const forbids = (use: Attachment): boolean => refusesDefinedUses || isLive(use);
    const uses = await this.#usesAfter(forbids, usesNow);
    // What would be lost now is the better reason.
    const refusing = uses.find(isLive) ?? uses.find(forbids);
    if (refusing !== undefined) throw inUse(`${what}. ${sentenceOf(refusing)}`);
    for (const use of uses) {
      this.#settings.warn(`${destruction}, which a guest is defined with`, {
        guest: use.domain.name,
        use: sentenceOf(use),
      });
    }
    this.#warnOfUnknowns(destruction);
  }

  /** All uses; whoever forbids something by them is read afresh before. */
  async #usesAfter(
    forbids: (use: Attachment) => boolean,
    usesNow: (leftMs: number) => Promise<readonly Attachment[]>,
  ): Promise<readonly Attachment[]> {
    const untilMs = performance.now() + limits.useGuardMs;
    const leftMs = (): number => Math.max(0, Math.ceil(untilMs - performance.now()));
    await this.#attachments.settled(leftMs());
    const uses = await usesNow(leftMs());
    const forbidding = uses.filter(forbids);
    if (forbidding.length === 0) return uses;
    const guests = new Map(forbidding.map(({ domain }) => [JSON.stringify([domain.source, domain.name]), domain]));
    await Promise.all([...guests.values()].map((domain) => this.#attachments.refreshDomain(domain, leftMs())));
    return usesNow(leftMs());
  }

  /** What is not known keeps nobody from anything: a hypervisor that is gone for good would lock all storage. */
  #warnOfUnknowns(destruction: string): void {
    const unknowns = this.#attachments.unknowns();
    if (unknowns.length === 0) return;
    const told = unknowns.slice(0, limits.loggedUnknowns);
    this.#settings.warn(`${destruction}; what guests use is not all known`, { count: unknowns.length, unknowns: told });
  }
}

/** "It is the backing file of disk 'vda' of the running guest 'web' (through '/images/top.qcow2')." */
function sentenceOf({ role, target, domain, when, through, place }: Attachment): string {
  const disk = target === null ? "" : ` of disk '${target}'`;
  const part = PARTS[role] ?? `the ${role}`;
  const guest = `guest '${domain.name}'`;
  const whose = when === "next-boot" ? `that ${guest} is defined with` : `of the ${wordOf(domain.state)}${guest}`;
  const along = through.length === 0 ? "" : `, through ${through.map((link) => `'${link}'`).join(" and ")}`;
  const what = target !== null && part === "" ? `disk '${target}'` : `${part}${disk}`;
  return `'${place}' is ${what} ${whose}${along}`;
}

const PARTS: Readonly<Partial<Record<Attachment["role"], string>>> = {
  disk: "",
  lun: "",
  cdrom: "",
  floppy: "",
  backing: "a backing file",
  mirror: "the mirror",
  "data-file": "a data file",
  container: "a device beneath",
};

function wordOf(state: string): string {
  return state === "unknown" ? "" : `${state} `;
}

function inUse(detail: string): LibvirtError {
  return LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, detail);
}
