import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { limits } from "../limits.js";
import type { Pool } from "../pools/pool.js";
import type { PoolRegistry } from "../pools/registry.js";
import type { BackingUsers } from "../volumes/backing-users.js";
import type { PlacedVolume, VolumeBackends } from "../volumes/work.js";
import { type AdoptionPlan, outsidePools, planAdoption } from "./adoption.js";
import type { Conflict } from "./conflict.js";
import { findConflicts } from "./conflicts.js";
import { doubtsOf, isAnybodyAsked } from "./doubts.js";
import { type Explanation, explain, type WorkFacts } from "./explanation.js";
import { knownGuests } from "./guests.js";
import { type AccountWish, findHypervisorUser, type HypervisorUser } from "./hypervisor-user.js";
import type { Attachment, Attachments } from "./model.js";
import { findOrphans, type OrphanPage } from "./orphans.js";
import { Reach, type ReachFault } from "./reach.js";

export interface AttachmentFilter {
  /** Name or UUID; null: of all guests. */
  readonly domain: string | null;
  /** null: of all volumes, and what is in no pool. */
  readonly volume: PlacedVolume | null;
}

export interface ReachReport {
  readonly user: HypervisorUser;
  /** How many volumes were looked at. */
  readonly volumes: number;
  readonly faults: readonly ReachFault[];
}

export interface ReportParts {
  readonly attachments: Attachments;
  readonly registry: PoolRegistry;
  readonly backingUsers: BackingUsers;
  readonly backends: VolumeBackends;
  /** Whether what guests are only defined with is refused to be destroyed, where a caller has no wish. */
  readonly refusesDefinedUses: () => boolean;
}

/** What people ask about who uses what. Each answer waits for what is known to have changed, but not long. */
export class Reports {
  readonly #parts: ReportParts;

  constructor(parts: ReportParts) {
    this.#parts = parts;
  }

  get attachments(): Attachments {
    return this.#parts.attachments;
  }

  get doubts(): readonly string[] {
    return doubtsOf(this.attachments);
  }

  get isAnybodyAsked(): boolean {
    return isAnybodyAsked(this.attachments);
  }

  /** @throws LibvirtError 42 for a guest that no source knows */
  async list({ domain, volume }: AttachmentFilter): Promise<readonly Attachment[]> {
    await this.#settle();
    if (domain !== null) await knownGuests(this.attachments, domain);
    if (volume === null) return domain === null ? this.attachments.all() : this.attachments.ofDomain(domain);
    const users = this.attachments.ofVolume(volume.pool.name, volume.volume.name);
    if (domain === null) return users;
    const uuid = domain.toLowerCase();
    return users.filter((user) => user.domain.name === domain || user.domain.uuid === uuid);
  }

  /** `jobs`: those on the volume that are under way. */
  async explain(placed: PlacedVolume, jobs: readonly WorkFacts[]): Promise<Explanation> {
    await this.#settle();
    const overlays = await this.#parts.backingUsers.overlaysOn(placed);
    const { deletesBackingStores } = this.#parts.backends.policy;
    const refusesDefinedUses = this.#parts.refusesDefinedUses();
    const pools = this.#parts.registry;
    return explain(placed, this.attachments, { overlays, pools, jobs, deletesBackingStores, refusesDefinedUses });
  }

  async conflicts(): Promise<readonly Conflict[]> {
    this.attachments.lookAgain("all");
    await this.#settle();
    return findConflicts(this.attachments, this.#parts.registry);
  }

  async orphans(page: { readonly offset: number; readonly count: number }): Promise<OrphanPage> {
    await this.#settle();
    return findOrphans(this.attachments, this.#parts.registry, await this.#parts.backingUsers.bases(), page);
  }

  /**
   * Of what is at or below `path`, and used by `domain`; null: of all.
   *
   * @throws LibvirtError 42 for a guest that no source knows, 8 where guests use nothing at the path outside the pools
   */
  async adoption(path: string | null, domain: string | null): Promise<AdoptionPlan> {
    const uses = outsidePools(await this.list({ domain, volume: null }));
    const below = `${path?.replace(/\/+$/, "")}/`;
    const wanted = path === null ? uses : uses.filter(({ place }) => `${place}/`.startsWith(below));
    if (path !== null && wanted.length === 0) {
      throw LibvirtError.of(
        ErrorCode.INVALID_ARG,
        ErrorDomain.STORAGE,
        `no guest is known to use anything at '${path}' that no active pool has`,
      );
    }
    return planAdoption(wanted, this.#parts.registry, this.#parts.backends.hostAt);
  }

  /** @throws LibvirtError 8 for accounts that this host does not have */
  async reach(pool: Pool, wish: AccountWish): Promise<ReachReport> {
    const user = await findHypervisorUser(wish, await this.#parts.backends.hostAt("/"));
    const placed = [...pool.volumes].map((volume) => ({ pool, volume }));
    return {
      user,
      volumes: placed.length,
      faults: await new Reach(user, this.#parts.backends.hostAt).faultsOf(placed),
    };
  }

  #settle(): Promise<void> {
    this.attachments.lookAgain("missing");
    return this.attachments.settled(limits.useGuardMs);
  }
}
