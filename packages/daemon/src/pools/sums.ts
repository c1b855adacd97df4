import type { PoolDocument } from "@cistern/documents";
import type { PoolSizes } from "../drivers/driver.js";
import { limits } from "../limits.js";

/**
 * What a pool holds and has free is what the last look at its storage said, and what volumes took or gave back since. Of work
 * that was under way during a look nobody knows how much of it the look has seen: then it is not added, but looked at again.
 *
 * The sums hold of each volume what its document says that it takes; so both always change together.
 */
export class PoolSums {
  /** Looks that were taken over. */
  looks = 0;
  /** Ends of work that changed, or may have changed, what volumes take. */
  changes = 0;
}

/** A pool, as far as it concerns them. */
interface Summed {
  live: PoolDocument;
  readonly sums: PoolSums;
}

/**
 * Takes over the sizes that a look gave, which began when there had been `changes`; looks again where volumes changed since.
 * `apply`: what else changes in the same step.
 */
export async function takeSizes(
  pool: Summed,
  changes: number,
  first: PoolSizes,
  again: (() => Promise<PoolSizes>) | undefined,
  apply: () => void = () => {},
): Promise<void> {
  const { sums } = pool;
  let sizes = first;
  let seen = changes;
  for (let looks = 1; again !== undefined && sums.changes !== seen && looks < limits.looksAtSizes; looks++) {
    seen = sums.changes;
    sizes = await again();
  }
  // From here on nothing is awaited: whoever looks sees all of it or nothing.
  apply();
  const { capacityBytes, allocationBytes, availableBytes } = sizes;
  pool.live = { ...pool.live, capacityBytes, allocationBytes, availableBytes };
  sums.looks++;
}

/** Space that volumes took (or gave back, negative) since the last look. */
export function moveAllocation(pool: Summed, takenBytes: bigint): void {
  if (takenBytes === 0n) return;
  const { capacityBytes, allocationBytes, availableBytes } = pool.live;
  // What others do to the storage is only seen by a look: the sums may be off, but they are never absurd.
  const within = (bytes: bigint): bigint => (bytes < 0n ? 0n : bytes > capacityBytes ? capacityBytes : bytes);
  pool.live = {
    ...pool.live,
    allocationBytes: within(allocationBytes + takenBytes),
    availableBytes: within(availableBytes - takenBytes),
  };
}
