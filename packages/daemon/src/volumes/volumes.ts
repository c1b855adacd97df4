import { sanitizePath, type VolumeDocument, writeVolume } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { StorageDriver, VolumeContext, VolumeOperations } from "../drivers/driver.js";
import { unsupported } from "../drivers/index.js";
import type { Job } from "../jobs/job.js";
import { DAEMON_REQUESTER, type JobKind } from "../jobs/job-facts.js";
import type { Jobs } from "../jobs/jobs.js";
import { hostForChanges, type PoolBackends } from "../pools/activation.js";
import type { Pool } from "../pools/pool.js";
import type { Pools } from "../pools/pools.js";
import { checkFlags, noVolumeWithName, poolNotActive, volumeBuilding, volumeInUse } from "../pools/refusals.js";
import type { Volume } from "../pools/volume-table.js";
import { refuseZeroCapacity, resizedCapacity } from "./resize.js";

/** A volume with the pool that holds it, as every call on a volume needs them. */
export interface PlacedVolume {
  readonly pool: Pool;
  readonly volume: Volume;
}

export interface VolumeHandle {
  readonly pool: string;
  readonly name: string;
}

export interface VolumeBackends extends PoolBackends {
  readonly jobs: Jobs;
  /** Everything of the context but the job and the host. */
  readonly secret: VolumeContext["secret"];
  readonly privateDirectory: VolumeContext["privateDirectory"];
}

const INFO_PHYSICAL = 1;
const RESIZE_FLAGS = 7;
const WIPE_ALGORITHMS = 10;

/** What is done to existing volumes; the order of checks is libvirt's. Creation is in creation.ts, bytes in transfer.ts. */
export class Volumes {
  readonly #pools: Pools;
  readonly #backends: VolumeBackends;

  constructor(pools: Pools, backends: VolumeBackends) {
    this.#pools = pools;
    this.#backends = backends;
  }

  /** As a client's handle names it: pool by name, volume by name; the key is for people. */
  resolve(handle: VolumeHandle): PlacedVolume {
    const pool = this.#pools.registry.byName(handle.pool);
    return { pool, volume: this.inPool(pool, handle.name) };
  }

  inPool(pool: Pool, name: string): Volume {
    if (!pool.active) throw poolNotActive(pool);
    const volume = pool.volumes.get(name);
    if (volume === undefined) throw noVolumeWithName(name);
    return volume;
  }

  byKey(key: string): PlacedVolume {
    for (const pool of this.#pools.registry) {
      const volume = pool.active ? pool.volumes.byKey(key) : undefined;
      if (volume !== undefined) return { pool, volume };
    }
    throw LibvirtError.of(ErrorCode.NO_STORAGE_VOL, ErrorDomain.STORAGE, `no storage vol with matching key ${key}`);
  }

  byPath(path: string): PlacedVolume {
    const cleaned = sanitizePath(path);
    for (const pool of this.#pools.registry) {
      const volume = pool.active ? pool.volumes.byPath(cleaned) : undefined;
      if (volume !== undefined) return { pool, volume };
    }
    const also = cleaned === path ? "" : ` (${cleaned})`;
    throw LibvirtError.of(
      ErrorCode.NO_STORAGE_VOL,
      ErrorDomain.STORAGE,
      `no storage vol with matching path '${path}'${also}`,
    );
  }

  /** Looks at the volume again and gives what it is now. PHYSICAL (1) puts the file's length in place of the allocation. */
  async info(
    handle: VolumeHandle,
    flags: number,
  ): Promise<{ type: VolumeDocument["type"]; capacityBytes: bigint; allocationBytes: bigint }> {
    checkFlags(flags, INFO_PHYSICAL, "storageVolGetInfoFlags");
    const placed = this.resolve(handle);
    await this.#lookAgain(placed, false);
    const { type, capacityBytes, allocationBytes, physicalBytes } = placed.volume.document;
    return { type, capacityBytes, allocationBytes: (flags & INFO_PHYSICAL) !== 0 ? physicalBytes : allocationBytes };
  }

  async xml(handle: VolumeHandle, flags: number): Promise<string> {
    checkFlags(flags, 0, "storageVolGetXMLDesc");
    const placed = this.resolve(handle);
    await this.#lookAgain(placed, false);
    return writeVolume(placed.volume.document, placed.pool.live.type);
  }

  async remove(handle: VolumeHandle, flags: number): Promise<void> {
    const { pool } = this.resolve(handle);
    await pool.lock.run(async () => {
      const { volume } = this.resolve(handle);
      this.#mustBeIdle(volume);
      const operations = this.#operationsOf(pool);
      if (operations?.remove === undefined) throw unsupported("volume.remove");
      const { remove } = operations;
      const { document } = volume;
      await this.#asJob("delete", { pool, volume }, (context) => remove(pool.live, document, flags, context));
      pool.volumes.remove(volume);
      moveAllocation(pool, -document.allocationBytes);
    });
  }

  async resize(handle: VolumeHandle, capacityBytes: bigint, flags: number): Promise<void> {
    refuseZeroCapacity(capacityBytes, flags);
    checkFlags(flags, RESIZE_FLAGS, "storageVolResize");
    const { pool } = this.resolve(handle);
    await pool.lock.run(async () => {
      const { volume } = this.resolve(handle);
      this.#mustBeIdle(volume);
      const { document } = volume;
      const plan = resizedCapacity(document, capacityBytes, flags, pool.live.availableBytes);
      const resize = this.#operationsOf(pool)?.resize;
      if (resize === undefined) throw unsupported("volume.resize");
      await this.#asJob("resize", { pool, volume }, (context) =>
        resize(pool.live, document, plan.capacityBytes, plan.driverFlags, context),
      );
      volume.evidence = null;
      volume.document = { ...document, capacityBytes: plan.capacityBytes };
      if (plan.allocates) {
        volume.document = { ...volume.document, allocationBytes: plan.capacityBytes };
        moveAllocation(pool, plan.capacityBytes - document.allocationBytes);
      }
    });
  }

  /** Overwrites the content. The pool stays usable meanwhile; the volume does not. */
  async wipe(handle: VolumeHandle, algorithm: number, flags: number): Promise<void> {
    checkFlags(flags, 0, "storageVolWipePattern");
    if (algorithm >= WIPE_ALGORITHMS) {
      throw LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, `wiping algorithm ${algorithm} not supported`);
    }
    const { pool, volume } = this.resolve(handle);
    this.#mustBeIdle(volume);
    const wipe = this.#operationsOf(pool)?.wipe;
    if (wipe === undefined) throw unsupported("volume.wipe");
    await this.whileInUse([{ pool, volume }], () =>
      this.#asJob("wipe", { pool, volume }, (context) => wipe(pool.live, volume.document, algorithm, context)),
    );
    volume.evidence = null;
    await this.#lookAgain({ pool, volume }, true).catch(() => {});
  }

  /** Keeps others from changing these volumes, and their pools from stopping, while `work` runs. */
  async whileInUse<T>(placed: readonly PlacedVolume[], work: () => Promise<T>): Promise<T> {
    for (const { pool, volume } of placed) {
      pool.jobs++;
      volume.inUse++;
    }
    try {
      return await work();
    } finally {
      for (const { pool, volume } of placed) {
        volume.inUse--;
        this.#pools.jobEnded(pool);
      }
    }
  }

  async #lookAgain({ pool, volume }: PlacedVolume, probe: boolean): Promise<void> {
    const refresh = this.#operationsOf(pool)?.refresh;
    if (refresh === undefined) return;
    // What an upload put there is seen by the scan that follows it.
    await pool.settling;
    try {
      Object.assign(volume, await refresh(pool.live, volume, probe, await this.#backends.hostOf(pool.live)));
    } catch (error) {
      // While it is built it shows how far it is; there may be nothing to look at yet.
      if (!volume.building) throw error;
    }
  }

  #mustBeIdle(volume: Volume): void {
    if (volume.inUse > 0) throw volumeInUse(volume.document.name);
    if (volume.building) throw volumeBuilding(volume.document.name);
  }

  #operationsOf(pool: Pool): VolumeOperations | undefined {
    const driver: StorageDriver = this.#backends.driverOf(pool.live);
    return driver.volumes;
  }

  async #asJob<T>(
    kind: JobKind,
    { pool, volume }: PlacedVolume,
    work: (context: VolumeContext) => Promise<T>,
  ): Promise<T> {
    const host = await hostForChanges(pool, this.#backends);
    const description = {
      kind,
      pool: pool.name,
      volume: volume.document.name,
      requester: DAEMON_REQUESTER,
      isHeavy: false,
    };
    return this.#backends.jobs.run(description, (job: Job) =>
      work({ ...volumeContext(this.#backends, host, job), followsSymlink: volume.isSymlink }),
    );
  }
}

export function volumeContext(backends: VolumeBackends, host: VolumeContext["host"], job: Job): VolumeContext {
  return { host, job, secret: backends.secret, privateDirectory: backends.privateDirectory };
}

/** Space that volumes took (or gave back, negative) since the last scan. */
export function moveAllocation(pool: Pool, takenBytes: bigint): void {
  pool.live = {
    ...pool.live,
    allocationBytes: pool.live.allocationBytes + takenBytes,
    availableBytes: pool.live.availableBytes - takenBytes,
  };
}
