import { sanitizePath, type VolumeDocument, writeVolume } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { VolumeContext, VolumeOperations } from "../drivers/driver.js";
import { DELETE_WITH_SNAPSHOTS, isPlainRaw, unsupported } from "../drivers/index.js";
import type { Requester } from "../jobs/job-facts.js";
import { scanAfterChange } from "../pools/activation.js";
import type { Pool } from "../pools/pool.js";
import type { Pools } from "../pools/pools.js";
import { checkFlags, noVolumeWithName, poolNotActive, refuseWhileUnseen } from "../pools/refusals.js";
import type { Volume } from "../pools/volume.js";
import type { VolumeLeases } from "../pools/volume-leases.js";
import { volumeBuilding, volumeInUse } from "../pools/volume-refusals.js";
import { BackingUsers } from "./backing-users.js";
import { lookAtOthersWork } from "./others-work.js";
import {
  allocationRefusal,
  isBelowAllocation,
  mayShrink,
  type ResizePlan,
  refuseZeroCapacity,
  resizedCapacity,
} from "./resize.js";
import {
  asJob,
  lookAt,
  type PlacedVolume,
  refuseDoubtfulFormat,
  spaceTaken,
  type VolumeBackends,
  type VolumeHandle,
  whileUsing,
} from "./work.js";

const INFO_PHYSICAL = 1;
const RESIZE_FLAGS = 7;
const WIPE_ALGORITHMS = 10;

/** What is done to existing volumes; the order of checks is libvirt's. Creation is in creation.ts, bytes in transfer.ts. */
export class Volumes {
  readonly #pools: Pools;
  readonly #backends: VolumeBackends;
  readonly #backingUsers: BackingUsers;

  constructor(pools: Pools, backends: VolumeBackends) {
    this.#pools = pools;
    this.#backends = backends;
    this.#backingUsers = new BackingUsers(pools.registry, backends);
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
    const found = this.findByPath(cleaned);
    if (found !== null) return found;
    const also = cleaned === path ? "" : ` (${cleaned})`;
    throw LibvirtError.of(
      ErrorCode.NO_STORAGE_VOL,
      ErrorDomain.STORAGE,
      `no storage vol with matching path '${path}'${also}`,
    );
  }

  /** null: no active pool has it. */
  findByPath(path: string): PlacedVolume | null {
    for (const pool of this.#pools.registry) {
      const volume = pool.active ? pool.volumes.byPath(path) : undefined;
      if (volume !== undefined) return { pool, volume };
    }
    return null;
  }

  /** By what it leads to, as `identityOf` tells it; null: no active pool has it, or nobody knows. */
  findByIdentity(identity: string): PlacedVolume | null {
    for (const pool of this.#pools.registry) {
      const [volume] = pool.active ? pool.volumes.byIdentity(identity) : [];
      if (volume !== undefined) return { pool, volume };
    }
    return null;
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

  /** Refuses to take a volume away from those that are built on it, unless the administrator wants libvirt's way. */
  async remove(handle: VolumeHandle, flags: number, requester: Requester): Promise<void> {
    const { pool } = this.resolve(handle);
    if (!this.#backends.policy.deletesBackingStores) {
      await lookAtOthersWork(pool, this.#pools.registry, this.#backends);
    }
    await pool.lock.run(async () => {
      const placed = this.resolve(handle);
      const { volume } = placed;
      mustBeIdle(volume, this.#backends.leases);
      const remove = this.#operationsOf(pool)?.remove;
      if (remove === undefined) throw unsupported("volume.remove");
      volume.removing = true;
      try {
        await whileUsing(this.#backends.leases, [{ ...placed, as: "writer" }], async () => {
          const wantedFlags = this.#flagsOfRemoval(pool, flags);
          await this.#backends.uses.volume(pool, volume, "delete", requester);
          if (!this.#backends.policy.deletesBackingStores) {
            const takesAlong = (wantedFlags & DELETE_WITH_SNAPSHOTS) !== 0 && this.#removesSnapshots(pool);
            const except = takesAlong ? pool : null;
            await this.#backingUsers.refuseIfAny(placed, except);
            refuseWhileUnseen(volume, this.#pools.registry, except);
          }
          const { document } = volume;
          const { looks } = pool.sums;
          await asJob(this.#backends, pool, { kind: "delete", volume, requester, isHeavy: false }, (context) =>
            remove(pool.live, document, wantedFlags, context),
          );
          pool.volumes.remove(volume);
          pool.changes.removed(volume);
          if (!(await scanAfterChange(pool, "removed", this.#backends))) {
            await spaceTaken(pool, -volume.document.allocationBytes, looks, this.#backends);
          }
        });
      } finally {
        volume.removing = false;
      }
    });
  }

  /** Where backing stores may be taken away from their overlays, snapshots go with their volume unasked, as in libvirt. */
  #flagsOfRemoval(pool: Pool, flags: number): number {
    const unasked = this.#backends.policy.deletesBackingStores && this.#removesSnapshots(pool);
    return unasked ? flags | DELETE_WITH_SNAPSHOTS : flags;
  }

  #removesSnapshots(pool: Pool): boolean {
    return this.#backends.driverOf(pool.live).traits.removesSnapshots === true;
  }

  async resize(handle: VolumeHandle, capacityBytes: bigint, flags: number, requester: Requester): Promise<void> {
    refuseZeroCapacity(capacityBytes, flags);
    checkFlags(flags, RESIZE_FLAGS, "storageVolResize");
    const placed = this.resolve(handle);
    const { pool, volume } = placed;
    mustBeIdle(volume, this.#backends.leases);
    const operations = this.#operationsOf(pool);
    // Which blocks it has is looked at by the job itself: it may take long, and can be stopped.
    const looksBehind = mayShrink(flags) && operations?.hasBlocksBehind !== undefined;
    const planNow = (): ResizePlan =>
      resizedCapacity(volume.document, capacityBytes, flags, pool.live.availableBytes, looksBehind);
    planNow();
    const resize = operations?.resize;
    if (resize === undefined) throw unsupported("volume.resize");
    await whileUsing(this.#backends.leases, [{ ...placed, as: "writer" }], async () => {
      // What others have added since anybody looked would be cut off unasked. What cannot be looked at cannot be resized either.
      if (mayShrink(flags)) await lookAt(placed, false, this.#backends).catch(() => {});
      const { document } = volume;
      const plan = planNow();
      await refuseDoubtfulFormat(placed, this.#backends);
      if (plan.capacityBytes < document.capacityBytes) {
        await this.#backends.uses.volume(pool, volume, "shrink", requester);
      }
      const enlargedByBytes = plan.capacityBytes - document.capacityBytes;
      this.#backends.commitments.promise(pool, enlargedByBytes);
      volume.enlargedByBytes = enlargedByBytes > 0n ? enlargedByBytes : 0n;
      const task = { kind: "resize", volume, requester, isHeavy: plan.allocates } as const;
      const { looks } = pool.sums;
      const written = pool.newcomers.writing(volume.name);
      let takenBytes = 0n;
      let isDone = false;
      try {
        await asJob(this.#backends, pool, task, async (context) => {
          await this.#refuseLoss(pool, document, plan.capacityBytes, context);
          await resize(pool.live, document, plan.capacityBytes, plan.driverFlags, context);
        });
        // Others may have looked at it meanwhile: what they saw of it is in the pool's sums.
        const { allocationBytes } = volume.document;
        if (plan.allocates) takenBytes = plan.capacityBytes - allocationBytes;
        volume.document = {
          ...document,
          capacityBytes: plan.capacityBytes,
          allocationBytes: allocationBytes + takenBytes,
        };
        isDone = true;
      } finally {
        volume.enlargedByBytes = 0n;
        volume.evidence = null;
        written();
        pool.changes.changed(volume);
        await spaceTaken(pool, takenBytes, looks, this.#backends);
        // How much was cut off, or of what was taken is left after a failure, shows only now. What an image takes is looked at when
        // somebody asks, as in libvirt.
        if (!isDone || isPlainRaw(document)) await lookAt(placed, false, this.#backends, looks).catch(() => {});
      }
    });
  }

  /** How much is allocated does not tell where, and counts what the file system needs to keep account of it. */
  async #refuseLoss(
    pool: Pool,
    document: VolumeDocument,
    capacityBytes: bigint,
    context: VolumeContext,
  ): Promise<void> {
    if (!isBelowAllocation(document, capacityBytes)) return;
    const hasBlocksBehind = this.#operationsOf(pool)?.hasBlocksBehind;
    if (await hasBlocksBehind?.(pool.live, document, capacityBytes, context)) throw allocationRefusal();
  }

  /** Overwrites the content. The pool stays usable meanwhile; the volume does not. */
  async wipe(handle: VolumeHandle, algorithm: number, flags: number, requester: Requester): Promise<void> {
    checkFlags(flags, 0, "storageVolWipePattern");
    if (algorithm >= WIPE_ALGORITHMS) {
      throw LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, `wiping algorithm ${algorithm} not supported`);
    }
    const placed = this.resolve(handle);
    const { pool, volume } = placed;
    mustBeIdle(volume, this.#backends.leases);
    const wipe = this.#operationsOf(pool)?.wipe;
    if (wipe === undefined) throw unsupported("volume.wipe");
    const { looks } = pool.sums;
    let hasBegun = false;
    try {
      await whileUsing(this.#backends.leases, [{ ...placed, as: "writer" }], async () => {
        await this.#backends.uses.volume(pool, volume, "wipe", requester);
        const written = pool.newcomers.writing(volume.name);
        hasBegun = true;
        try {
          await asJob(this.#backends, pool, { kind: "wipe", volume, requester, isHeavy: true }, (context) =>
            wipe(pool.live, volume.document, algorithm, context),
          );
        } finally {
          volume.evidence = null;
          written();
          pool.changes.changed(volume);
        }
      });
    } finally {
      // Also one that failed may have given blocks back, or filled holes.
      if (hasBegun) await this.#lookAgain(placed, true, looks).catch(() => {});
    }
  }

  async #lookAgain(placed: PlacedVolume, probe: boolean, looksBefore = placed.pool.sums.looks): Promise<void> {
    const { pool, volume } = placed;
    if (volume.building) {
      await showGrowth(volume);
      return;
    }
    // What an upload put there is seen by the scan that follows it.
    await pool.settling;
    try {
      await lookAt(placed, probe, this.#backends, looksBefore);
    } catch (error) {
      // Deleted while it was looked at.
      if (volume.removing || pool.volumes.get(volume.name) !== volume) throw noVolumeWithName(volume.name);
      throw error;
    }
  }

  #operationsOf(pool: Pool): VolumeOperations | undefined {
    return this.#backends.driverOf(pool.live).volumes;
  }
}

/** Both refusals in libvirt's order. */
export function mustBeIdle(volume: Volume, leases: VolumeLeases): void {
  if (leases.isHeld(volume)) throw volumeInUse(volume.name);
  if (volume.building) throw volumeBuilding(volume.name);
}

/** How far it is: clients watch the allocation grow. There may be nothing to look at yet, or any more. */
async function showGrowth(volume: Volume): Promise<void> {
  const facts = await volume.growing?.().catch(() => null);
  if (facts == null || !volume.building) return;
  const { allocatedBytes, sizeBytes } = facts;
  volume.document = { ...volume.document, allocationBytes: allocatedBytes, physicalBytes: sizeBytes };
}
