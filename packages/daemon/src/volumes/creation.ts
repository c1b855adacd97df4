import type { VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { VolumeOperations } from "../drivers/driver.js";
import { unsupported } from "../drivers/index.js";
import { QUICK_JOB } from "../jobs/job.js";
import { DAEMON_REQUESTER } from "../jobs/job-facts.js";
import type { DocumentParser } from "../parsing/parser.js";
import { hostForChanges } from "../pools/activation.js";
import type { Pool } from "../pools/pool.js";
import type { PoolHandle, Pools } from "../pools/pools.js";
import { checkFlags, noPoolWithName, poolNotActive, volumeBuilding } from "../pools/refusals.js";
import type { Volume } from "../pools/volume-table.js";
import {
  moveAllocation,
  type PlacedVolume,
  type VolumeBackends,
  type VolumeHandle,
  type Volumes,
  volumeContext,
} from "./volumes.js";

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

  constructor(pools: Pools, volumes: Volumes, backends: VolumeBackends, parser: DocumentParser) {
    this.#pools = pools;
    this.#volumes = volumes;
    this.#backends = backends;
    this.#parser = parser;
  }

  async create(into: PoolHandle, xml: string, flags: number): Promise<PlacedVolume> {
    checkFlags(flags, PREALLOCATE_METADATA | VALIDATE, "storageVolCreateXML");
    const pool = this.#pools.registry.resolve(into);
    if (!pool.active) throw poolNotActive(pool);
    const wanted = await this.#parser.volume(xml, pool.live.type, {
      validate: (flags & VALIDATE) !== 0,
      capacity: "optional-with-backing",
    });
    const volume = await pool.lock.run(async () => {
      this.#mustStillRun(pool);
      const operations = this.#operationsOf(pool);
      if (wanted.capacityBytes === 0n && operations?.fill === undefined) {
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
    return this.#fill(pool, volume, null, flags);
  }

  async createFrom(into: PoolHandle, xml: string, source: VolumeHandle, flags: number): Promise<PlacedVolume> {
    checkFlags(flags, PREALLOCATE_METADATA | REFLINK | VALIDATE, "storageVolCreateXMLFrom");
    const pool = this.#pools.registry.resolve(into);
    const sourcePool = source.pool === pool.name ? pool : this.#pools.registry.findByName(source.pool);
    if (sourcePool === undefined) throw noPoolWithName(source.pool);
    if (!pool.active) throw poolNotActive(pool);
    const original = this.#volumes.inPool(sourcePool, source.name);
    const parsed = await this.#parser.volume(xml, pool.live.type, {
      validate: (flags & VALIDATE) !== 0,
      capacity: "optional",
    });
    const volume = await pool.lock.run(async () => {
      this.#mustStillRun(pool);
      if (pool.volumes.get(parsed.name) !== undefined) {
        throw LibvirtError.of(
          ErrorCode.INTERNAL_ERROR,
          ErrorDomain.STORAGE,
          `storage volume name '${parsed.name}' already in use.`,
        );
      }
      const wanted = sizedLike(parsed, original.document);
      const operations = this.#operationsOf(pool);
      if (operations?.fill === undefined) throw unsupported("volume.createFrom");
      if (original.building) throw volumeBuilding(original.document.name);
      return this.#allocate(pool, wanted, operations);
    });
    const placed = { pool: sourcePool, volume: original };
    return this.#volumes.whileInUse([placed], () => this.#fill(pool, volume, placed, flags & ~VALIDATE));
  }

  /** Names the volume and puts it into the pool; the caller holds the lock. */
  async #allocate(pool: Pool, wanted: VolumeDocument, operations: VolumeOperations | undefined): Promise<Volume> {
    if (operations === undefined) throw unsupported("volume.create");
    const host = await hostForChanges(pool, this.#backends);
    const document = await operations.allocate(pool.live, wanted, volumeContext(this.#backends, host, QUICK_JOB));
    const volume: Volume = { document, evidence: null, isSymlink: false, building: true, inUse: 0 };
    if (!pool.volumes.add(volume)) {
      throw LibvirtError.of(
        ErrorCode.INTERNAL_ERROR,
        ErrorDomain.STORAGE,
        `cannot add volume '${document.name}' to pool '${pool.name}': its key or path is already taken`,
      );
    }
    pool.jobs++;
    return volume;
  }

  async #fill(pool: Pool, volume: Volume, source: PlacedVolume | null, flags: number): Promise<PlacedVolume> {
    try {
      await this.#write(pool, volume, source, flags);
      volume.building = false;
      moveAllocation(pool, volume.document.allocationBytes);
      return { pool, volume };
    } catch (error) {
      pool.volumes.remove(volume);
      throw error;
    } finally {
      this.#pools.jobEnded(pool);
    }
  }

  async #write(pool: Pool, volume: Volume, source: PlacedVolume | null, flags: number): Promise<void> {
    const operations = this.#operationsOf(pool);
    const host = await hostForChanges(pool, this.#backends);
    const { name } = volume.document;
    const description = {
      kind: source === null ? "create" : "clone",
      pool: pool.name,
      volume: name,
      requester: DAEMON_REQUESTER,
      isHeavy: false,
    } as const;
    await this.#backends.jobs.run(description, async (job) => {
      const context = volumeContext(this.#backends, host, job);
      const content = source === null ? null : { pool: source.pool.live, document: await this.#current(source) };
      await operations?.fill?.(pool.live, volume.document, content, flags & ~VALIDATE, context);
      if (operations?.refresh === undefined) return;
      try {
        Object.assign(volume, await operations.refresh(pool.live, volume, false, host));
      } catch (error) {
        await operations.remove?.(pool.live, volume.document, 0, context).catch(() => {});
        throw error;
      }
    });
  }

  /** The clone's source as it is now, not as the last scan saw it. */
  async #current({ pool, volume }: PlacedVolume): Promise<VolumeDocument> {
    const refresh = this.#operationsOf(pool)?.refresh;
    if (refresh === undefined) return volume.document;
    Object.assign(volume, await refresh(pool.live, volume, false, await this.#backends.hostOf(pool.live)));
    return volume.document;
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

/** A clone is at least as large as its source; without an allocation of its own it is fully allocated. */
function sizedLike(wanted: VolumeDocument, source: VolumeDocument): VolumeDocument {
  const capacityBytes = wanted.capacityBytes > source.capacityBytes ? wanted.capacityBytes : source.capacityBytes;
  return { ...wanted, capacityBytes, allocationBytes: wanted.hasAllocation ? wanted.allocationBytes : capacityBytes };
}
