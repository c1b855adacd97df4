import type { VolumeDocument } from "@cistern/documents";
import type { Pool } from "./pool.js";

/** What guests were promised of a pool, beside what there is. */
export interface PoolCommitment {
  readonly capacityBytes: bigint;
  /** What all volumes would take if guests wrote to all of them. */
  readonly promisedBytes: bigint;
  readonly availableBytes: bigint;
  /** Of promised to capacity; null: none. Above it, creating is noted in the log … */
  readonly warnRatio: number | null;
  /** … and above this one refused. */
  readonly refuseRatio: number | null;
}

/** The thresholds that the administrator set, by the pool's name. */
export interface OvercommitThresholds {
  warnRatio(pool: string): number | null;
  refuseRatio(pool: string): number | null;
}

/** How much of each pool was promised to guests. Counted anew each time: 10,000 volumes take well under a millisecond. */
export class PoolCommitments {
  readonly #thresholds: OvercommitThresholds;

  constructor(thresholds: OvercommitThresholds) {
    this.#thresholds = thresholds;
  }

  /** Of a pool that is not active everything is 0, as libvirt shows it, but for the thresholds. */
  of(pool: Pool): PoolCommitment {
    let promisedBytes = 0n;
    if (pool.active) for (const { document } of pool.volumes) promisedBytes += promisedOf(document);
    return {
      capacityBytes: pool.live.capacityBytes,
      promisedBytes,
      availableBytes: pool.live.availableBytes,
      warnRatio: this.#thresholds.warnRatio(pool.name),
      refuseRatio: this.#thresholds.refuseRatio(pool.name),
    };
  }
}

/**
 * A guest may fill what it sees. An overlay counts with all of its capacity, whatever its backing file holds: every block
 * may be written anew. Directories promise nothing.
 */
function promisedOf({ type, capacityBytes }: VolumeDocument): bigint {
  return PROMISING.has(type) ? capacityBytes : 0n;
}

const PROMISING: ReadonlySet<VolumeDocument["type"]> = new Set(["file", "block", "network"]);
