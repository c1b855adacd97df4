import type { FoundVolume, PoolSizes, VolumeContext } from "../drivers/driver.js";
import { imageFormat } from "../drivers/index.js";
import type { Job } from "../jobs/job.js";
import type { JobKind, Requester } from "../jobs/job-facts.js";
import { hostForChanges, type PoolBackends } from "../pools/activation.js";
import type { PoolCommitments } from "../pools/commitment.js";
import type { Pool } from "../pools/pool.js";
import { moveAllocation, takeSizes } from "../pools/sums.js";
import type { Volume } from "../pools/volume.js";
import type { VolumeLeases } from "../pools/volume-leases.js";
import type { VolumePolicy } from "./policy.js";

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
  readonly policy: VolumePolicy;
  readonly commitments: PoolCommitments;
  readonly leases: VolumeLeases;
  readonly expectedSpace: VolumeContext["expectedSpace"];
  /** Everything of the context but the job and the host. */
  readonly secret: VolumeContext["secret"];
  readonly privateDirectory: VolumeContext["privateDirectory"];
}

/** How a volume is used while something goes on. */
export interface Use extends PlacedVolume {
  readonly as: "reader" | "writer";
}

/** Takes the leases, and keeps the pools from stopping, while `work` runs. Refuses what somebody else uses. */
export async function whileUsing<T>(leases: VolumeLeases, uses: readonly Use[], work: () => Promise<T>): Promise<T> {
  const ends: (() => void)[] = [];
  try {
    for (const { pool, volume, as } of uses) {
      ends.push(as === "reader" ? leases.read(volume) : leases.write(volume));
      pool.jobs++;
      ends.push(() => {
        pool.jobs--;
      });
    }
    return await work();
  } finally {
    for (const end of ends.reverse()) end();
  }
}

export interface Task {
  readonly kind: JobKind;
  readonly volume: Volume;
  readonly source?: string;
  readonly requester: Requester;
  /** See `JobDescription`. */
  readonly isHeavy: boolean;
}

/** Runs `work` as a job, with what a driver is handed. */
export function asJob<T>(
  backends: VolumeBackends,
  pool: Pool,
  { kind, volume, source, requester, isHeavy }: Task,
  work: (context: VolumeContext) => Promise<T>,
): Promise<T> {
  const description = { kind, pool: pool.name, volume: volume.name, source: source ?? null, requester, isHeavy };
  return backends.jobs.run(description, async (job) => work(await contextOf(backends, pool, volume, job)));
}

export async function contextOf(
  backends: VolumeBackends,
  pool: Pool,
  volume: Volume | null,
  job: Job,
): Promise<VolumeContext> {
  return {
    host: await hostForChanges(pool, backends),
    job,
    secret: backends.secret,
    privateDirectory: backends.privateDirectory,
    expectedSpace: backends.expectedSpace,
    sharesBlocks: backends.policy.sharesBlocks,
    exclusively: (work) => pool.lock.run(work),
    followsSymlink: volume?.isSymlink ?? false,
    growing: (file) => {
      if (volume !== null) volume.growing = () => file.facts();
    },
  };
}

/** Before work goes by what a volume looks like; of raw bytes nothing is read. See `UseGuard.probedFormat`. */
export async function refuseDoubtfulFormat({ pool, volume }: PlacedVolume, { uses }: PoolBackends): Promise<void> {
  if (imageFormat(volume.document) !== "raw") await uses.probedFormat(pool, volume);
}

/**
 * Looks at a volume again; `probe`: also at what its content is. False: a writer that came or went meanwhile knows better (a
 * resize has set the new capacity by now), and what was seen was not taken over. `looksBefore`: see `spaceTaken`.
 */
export async function lookAt(
  placed: PlacedVolume,
  probe: boolean,
  backends: PoolBackends,
  looksBefore = placed.pool.sums.looks,
): Promise<boolean> {
  const { pool, volume } = placed;
  const refresh = backends.driverOf(pool.live).volumes?.refresh;
  if (refresh === undefined) return true;
  const { writes } = volume.lease;
  const seen = await refresh(pool.live, volume, probe, await backends.hostOf(pool.live));
  if (volume.lease.writes !== writes) return false;
  await takeLook(placed, seen, looksBefore, backends);
  return true;
}

/**
 * After work on volumes, in whatever way it ended: they take `takenBytes` more (less, negative) than before. `looksBefore`: the
 * looks at the pool when it began. Never rejects: the work itself is done.
 */
export async function spaceTaken(
  pool: Pool,
  takenBytes: bigint,
  looksBefore: number,
  backends: PoolBackends,
): Promise<void> {
  const { sums } = pool;
  // A look under way knows from this that it may have seen less.
  sums.changes++;
  const measure = backends.driverOf(pool.live).measure;
  if (sums.looks === looksBefore || measure === undefined) {
    moveAllocation(pool, takenBytes);
    return;
  }
  const look = async (): Promise<PoolSizes> =>
    measure(pool.live, await hostForChanges(pool, backends), backends.stopping);
  try {
    const { changes } = sums;
    await takeSizes(pool, changes, await look(), look);
  } catch (error) {
    backends.report.problem("measure, after a volume was changed,", pool.name, error);
  }
}

/** Takes over what a look at one volume has seen; what it grew by, its pool has less. */
export async function takeLook(
  { pool, volume }: PlacedVolume,
  seen: FoundVolume,
  looksBefore: number,
  backends: PoolBackends,
): Promise<void> {
  const before = volume.document.allocationBytes;
  pool.volumes.update(volume, seen);
  const takenBytes = volume.document.allocationBytes - before;
  // Where each change is followed by a scan, that one knows better what is left.
  if (takenBytes === 0n || backends.driverOf(pool.live).rescan !== undefined) return;
  await spaceTaken(pool, takenBytes, looksBefore, backends);
}
