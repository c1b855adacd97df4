import type { VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CloneSource, VolumeContext, VolumeOperations } from "../drivers/driver.js";
import { backingPathOf, unsupported } from "../drivers/index.js";
import { identityOf } from "../host/index.js";
import { QUICK_JOB } from "../jobs/job.js";
import type { Requester } from "../jobs/job-facts.js";
import { limits } from "../limits.js";
import type { DocumentParser } from "../parsing/parser.js";
import { scanAfterChange } from "../pools/activation.js";
import { promisedOf } from "../pools/commitment.js";
import type { Pool } from "../pools/pool.js";
import type { PoolHandle, Pools } from "../pools/pools.js";
import { checkFlags, noPoolWithName, noVolumeWithName, poolNotActive } from "../pools/refusals.js";
import { Volume } from "../pools/volume.js";
import { volumeBuilding } from "../pools/volume-refusals.js";
import { withDefaults } from "./policy.js";
import { ReadBelow } from "./read-below.js";
import type { Volumes } from "./volumes.js";
import {
  asJob,
  contextOf,
  type PlacedVolume,
  refuseDoubtfulFormat,
  spaceTaken,
  takeLook,
  type VolumeBackends,
  type VolumeHandle,
} from "./work.js";

const PREALLOCATE_METADATA = 1;
const REFLINK = 2;
const VALIDATE = 4;

/**
 * New volumes, empty or cloned. A volume is named under the pool's lock and is then visible at once; its content is
 * written without the lock, and the volume refuses to be used until that has ended.
 */
export class VolumeCreation {
  readonly #pools: Pools;
  readonly #volumes: Volumes;
  readonly #backends: VolumeBackends;
  readonly #parser: DocumentParser;
  readonly #below: ReadBelow;

  constructor(pools: Pools, volumes: Volumes, backends: VolumeBackends, parser: DocumentParser) {
    this.#pools = pools;
    this.#volumes = volumes;
    this.#backends = backends;
    this.#parser = parser;
    this.#below = new ReadBelow(pools, volumes, backends);
  }

  async create(into: PoolHandle, xml: string, flags: number, requester: Requester): Promise<PlacedVolume> {
    checkFlags(flags, PREALLOCATE_METADATA | VALIDATE, "storageVolCreateXML");
    const pool = this.#pools.registry.resolve(into);
    if (!pool.active) throw poolNotActive(pool);
    const parsed = await this.#parser.volume(xml, pool.live.type, {
      validate: (flags & VALIDATE) !== 0,
      capacity: "optional-with-backing",
    });
    const wanted = withDefaults(parsed, this.#backends.policy.defaultsOf(pool.name));
    const volume = await pool.lock.run(async () => {
      this.#mustStillRun(pool);
      const operations = this.#operationsOf(pool);
      if (wanted.capacityBytes === 0n && !this.#backends.driverOf(pool.live).traits.allowsZeroCapacity) {
        throw LibvirtError.of(
          ErrorCode.NO_SUPPORT,
          ErrorDomain.STORAGE,
          "volume capacity required for this storage pool",
        );
      }
      if (pool.volumes.get(wanted.name) !== undefined) {
        throw LibvirtError.of(ErrorCode.STORAGE_VOL_EXIST, ErrorDomain.STORAGE, `'${wanted.name}'`);
      }
      return this.#allocate(pool, wanted, operations);
    });
    return this.#fill(pool, volume, null, flags, requester);
  }

  async createFrom(
    into: PoolHandle,
    xml: string,
    source: VolumeHandle,
    flags: number,
    requester: Requester,
  ): Promise<PlacedVolume> {
    checkFlags(flags, PREALLOCATE_METADATA | REFLINK | VALIDATE, "storageVolCreateXMLFrom");
    const pool = this.#pools.registry.resolve(into);
    const findSource = (): PlacedVolume => {
      const sourcePool = source.pool === pool.name ? pool : this.#pools.registry.findByName(source.pool);
      if (sourcePool === undefined) throw noPoolWithName(source.pool);
      if (!pool.active) throw poolNotActive(pool);
      return { pool: sourcePool, volume: this.#volumes.inPool(sourcePool, source.name) };
    };
    // Before the document is read, because that it is missing comes first.
    findSource();
    const parsed = await this.#parser.volume(xml, pool.live.type, {
      validate: (flags & VALIDATE) !== 0,
      capacity: "optional",
    });
    // What had the name then may be gone, and another volume have it: from here to its lease nothing is awaited.
    const placed = findSource();
    const original = placed.volume;
    const begin = async (): Promise<Volume> => {
      this.#mustStillRun(pool);
      // Its lease keeps clients away; a scan may have found that somebody else took it away.
      if (findSource().volume !== original) throw noVolumeWithName(source.name);
      if (pool.volumes.get(parsed.name) !== undefined) {
        throw LibvirtError.of(
          ErrorCode.INTERNAL_ERROR,
          ErrorDomain.STORAGE,
          `storage volume name '${parsed.name}' already in use.`,
        );
      }
      const wanted = withDefaults(sizedLike(parsed, original.document), this.#backends.policy.defaultsOf(pool.name));
      const operations = this.#operationsOf(pool);
      const { clones } = this.#backends.driverOf(pool.live).traits;
      if (operations?.allocate === undefined || !clones) throw unsupported("volume.createFrom");
      if (original.building) throw volumeBuilding(original.name);
      return this.#allocate(pool, wanted, operations);
    };
    return this.#below.during(placed, async () =>
      this.#fill(pool, await pool.lock.run(begin), placed, flags & ~VALIDATE, requester),
    );
  }

  /** Names the volume and puts it into the pool; the caller holds the lock. */
  async #allocate(pool: Pool, wanted: VolumeDocument, operations: VolumeOperations | undefined): Promise<Volume> {
    if (operations?.allocate === undefined) throw unsupported("volume.create");
    const context = await contextOf(this.#backends, pool, null, QUICK_JOB);
    const document = await operations.allocate(pool.live, wanted, context);
    this.#backends.commitments.promise(pool, promisedOf(document));
    const volume = new Volume({ document, evidence: null });
    volume.building = true;
    if (!pool.volumes.add(volume)) {
      throw LibvirtError.of(
        ErrorCode.INTERNAL_ERROR,
        ErrorDomain.STORAGE,
        `cannot add volume '${volume.name}' to pool '${pool.name}': its key or path is already taken`,
      );
    }
    pool.changes.building(volume);
    pool.jobs++;
    return volume;
  }

  async #fill(
    pool: Pool,
    volume: Volume,
    source: PlacedVolume | null,
    flags: number,
    requester: Requester,
  ): Promise<PlacedVolume> {
    const { looks } = pool.sums;
    try {
      await this.#mustNotBeGoing(volume);
      const task = {
        kind: source === null ? "create" : isConversion(source.volume, volume) ? "convert" : "clone",
        volume,
        ...(source === null ? {} : { source: `${source.pool.name}/${source.volume.name}` }),
        requester,
        isHeavy: source !== null || volume.document.allocationBytes > 0n,
      } as const;
      await asJob(this.#backends, pool, task, (context) => this.#write(pool, volume, source, flags, context));
      volume.building = false;
      pool.changes.built(volume);
      pool.newcomers.made(volume.name);
      if (this.#backends.driverOf(pool.live).rescan === undefined) {
        await spaceTaken(pool, volume.document.allocationBytes, looks, this.#backends);
      } else {
        await this.#scanAfter(pool);
      }
      return { pool, volume };
    } catch (error) {
      pool.volumes.remove(volume);
      if (pool.changes.abandoned(volume)) await this.#showHidden(pool, volume);
      await spaceTaken(pool, 0n, looks, this.#backends);
      throw error;
    } finally {
      volume.growing = null;
      pool.jobs--;
    }
  }

  /** What a scan found where a volume could not be made was left out of its result: it is there, and is listed now. */
  async #showHidden(pool: Pool, { document }: Volume): Promise<void> {
    try {
      const wanted = { document, evidence: null };
      const found = await this.#operationsOf(pool)?.refresh?.(
        pool.live,
        wanted,
        true,
        await this.#backends.hostOf(pool.live),
      );
      if (found === undefined || !pool.active) return;
      const volume = new Volume(found);
      if (pool.volumes.add(volume)) pool.changes.changed(volume);
    } catch {
      // Nothing is there, or nothing that is a volume.
    }
  }

  /** The volume is made, whatever becomes of this. */
  async #scanAfter(pool: Pool): Promise<void> {
    try {
      await pool.lock.run(() => scanAfterChange(pool, "made", this.#backends));
    } catch (error) {
      this.#backends.report.problem("refresh, after a volume was made,", pool.name, error);
    }
  }

  async #write(
    pool: Pool,
    volume: Volume,
    source: PlacedVolume | null,
    flags: number,
    context: VolumeContext,
  ): Promise<void> {
    const operations = this.#operationsOf(pool);
    const content = source === null ? null : await this.#contentFor(pool, volume, source);
    const made = await operations?.fill?.(pool.live, volume.document, content, flags & ~VALIDATE, context);
    try {
      const found = made ?? (await operations?.refresh?.(pool.live, volume, false, context.host));
      if (found === undefined) return;
      // An image that is to be as large as its backing store says only now how large that is.
      this.#backends.commitments.promise(pool, promisedOf(found.document) - promisedOf(volume.document));
      if (pool.volumes.update(volume, found) || made === undefined) return;
      throw LibvirtError.of(
        ErrorCode.INTERNAL_ERROR,
        ErrorDomain.STORAGE,
        `cannot add volume '${volume.name}' to pool '${pool.name}': its key or path is already taken`,
      );
    } catch (error) {
      await operations?.remove?.(pool.live, made?.document ?? volume.document, 0, context).catch(() => {});
      throw error;
    }
  }

  /** What a clone is made of, which has room for all of it from here on. */
  async #contentFor(pool: Pool, clone: Volume, source: PlacedVolume): Promise<CloneSource> {
    const document = await this.#current(source);
    await refuseDoubtfulFormat(source, this.#backends);
    this.#holdAll(pool, clone, document);
    const { live } = source.pool;
    // The names of devices are symlinks that udev makes.
    const isDevice = this.#backends.driverOf(live).traits.volumeKind === "block";
    return { pool: live, document, followsSymlink: isDevice || source.volume.isSymlink };
  }

  /** The clone's source as it is now, not as the last scan saw it. */
  async #current({ pool, volume }: PlacedVolume): Promise<VolumeDocument> {
    const refresh = this.#operationsOf(pool)?.refresh;
    if (refresh === undefined) return volume.document;
    const { looks } = pool.sums;
    const seen = await refresh(pool.live, volume, false, await this.#backends.hostOf(pool.live));
    await takeLook({ pool, volume }, seen, looks, this.#backends);
    return volume.document;
  }

  /** The source may have grown since the clone was named: nothing of it is left out. */
  #holdAll(pool: Pool, clone: Volume, source: VolumeDocument): void {
    const document = sizedLike(clone.document, source);
    this.#backends.commitments.promise(pool, promisedOf(document) - promisedOf(clone.document));
    clone.document = document;
  }

  /** Its backing store is being deleted: whichever of the two came first is seen by the other. */
  async #mustNotBeGoing(overlay: Volume): Promise<void> {
    const path = backingPathOf(overlay.document);
    const backing = path === null ? null : (this.#volumes.findByPath(path) ?? (await this.#findFile(path)));
    if (backing === null || !this.#backends.leases.isGoing(backing.volume)) return;
    throw LibvirtError.of(
      ErrorCode.OPERATION_INVALID,
      ErrorDomain.STORAGE,
      `volume '${backing.volume.name}' is being deleted: nothing can be built on it`,
    );
  }

  /** The volume that is the file at a path which is not the volume's own. */
  async #findFile(path: string): Promise<PlacedVolume | null> {
    try {
      const host = await this.#backends.hostAt(path);
      return this.#volumes.findByIdentity(identityOf(await host.facts(path, { timeoutMs: limits.backingFilesMs })));
    } catch {
      // It is not there, or does not answer: whoever makes the overlay says so.
      return null;
    }
  }

  #operationsOf(pool: Pool): VolumeOperations | undefined {
    return this.#backends.driverOf(pool.live).volumes;
  }

  /** The pool may have stopped while this call waited. */
  #mustStillRun(pool: Pool): void {
    if (!this.#pools.registry.has(pool)) throw this.#pools.registry.missing(pool);
    if (!pool.active) throw poolNotActive(pool);
  }
}

function isConversion(source: Volume, target: Volume): boolean {
  return (source.document.target.format ?? "raw") !== (target.document.target.format ?? "raw");
}

/** A clone is at least as large as its source; without an allocation of its own it is fully allocated. */
function sizedLike(wanted: VolumeDocument, source: VolumeDocument): VolumeDocument {
  const capacityBytes = wanted.capacityBytes > source.capacityBytes ? wanted.capacityBytes : source.capacityBytes;
  return { ...wanted, capacityBytes, allocationBytes: wanted.hasAllocation ? wanted.allocationBytes : capacityBytes };
}
