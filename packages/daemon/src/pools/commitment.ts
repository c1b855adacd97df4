import type { VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Pool } from "./pool.js";
import type { VolumeTable } from "./volume-table.js";

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

/** A count this old is made anew: 100,000 volumes take some 5 ms. */
const COUNT_MS = 10_000;

interface Count {
  readonly table: VolumeTable;
  readonly atMs: number;
  bytes: bigint;
  /** The administrator was told that it is above the threshold. */
  isWarned: boolean;
}

/** How much of each pool was promised to guests, and whether more may be. */
export class PoolCommitments {
  readonly #thresholds: OvercommitThresholds;
  readonly #warn: (text: string, pool: string) => void;
  readonly #counts = new WeakMap<Pool, Count>();

  constructor(thresholds: OvercommitThresholds, warn: (text: string, pool: string) => void) {
    this.#thresholds = thresholds;
    this.#warn = warn;
  }

  /**
   * Before so much more is promised: 9/18 above the threshold that refuses; above the one that warns a line in the log, once
   * until it is below again.
   */
  promise(pool: Pool, moreBytes: bigint): void {
    const warnRatio = this.#thresholds.warnRatio(pool.name);
    const refuseRatio = this.#thresholds.refuseRatio(pool.name);
    const { capacityBytes } = pool.live;
    if (moreBytes <= 0n || capacityBytes === 0n || (warnRatio === null && refuseRatio === null)) return;
    let count = this.#count(pool, false);
    const ratioOf = (bytes: bigint): number => Number(bytes + moreBytes) / Number(capacityBytes);
    if (refuseRatio !== null && ratioOf(count.bytes) > refuseRatio) {
      // Something may have been deleted since it was counted.
      count = this.#count(pool, true);
      if (ratioOf(count.bytes) > refuseRatio) {
        const text =
          `pool '${pool.name}' of ${capacityBytes} bytes would promise ${count.bytes + moreBytes} bytes to guests, ` +
          `${ratioOf(count.bytes).toFixed(2)} times what it has; it may promise ${refuseRatio} times`;
        throw LibvirtError.of(ErrorCode.OPERATION_FAILED, ErrorDomain.STORAGE, text);
      }
    }
    count.bytes += moreBytes;
    const ratio = Number(count.bytes) / Number(capacityBytes);
    const isAbove = warnRatio !== null && ratio > warnRatio;
    if (isAbove && !count.isWarned) {
      const text = `pool '${pool.name}' promises guests ${count.bytes} bytes, ${ratio.toFixed(2)} times the ${capacityBytes} it has`;
      this.#warn(text, pool.name);
    }
    count.isWarned = isAbove;
  }

  #count(pool: Pool, anew: boolean): Count {
    const known = this.#counts.get(pool);
    const nowMs = performance.now();
    if (!anew && known !== undefined && known.table === pool.volumes && nowMs - known.atMs < COUNT_MS) return known;
    const count = {
      table: pool.volumes,
      atMs: nowMs,
      bytes: promisedBytesOf(pool),
      isWarned: known?.isWarned ?? false,
    };
    this.#counts.set(pool, count);
    return count;
  }

  /** Of a pool that is not active everything is 0, as libvirt shows it, but for the thresholds. */
  of(pool: Pool): PoolCommitment {
    return {
      capacityBytes: pool.live.capacityBytes,
      promisedBytes: pool.active ? promisedBytesOf(pool) : 0n,
      availableBytes: pool.live.availableBytes,
      warnRatio: this.#thresholds.warnRatio(pool.name),
      refuseRatio: this.#thresholds.refuseRatio(pool.name),
    };
  }
}

function promisedBytesOf(pool: Pool): bigint {
  let bytes = 0n;
  for (const { document, enlargedByBytes } of pool.volumes) bytes += promisedOf(document) + enlargedByBytes;
  return bytes;
}

/**
 * A guest may fill what it sees. An overlay counts with all of its capacity, whatever its backing file holds: every block
 * may be written anew. Directories promise nothing.
 */
export function promisedOf({ type, capacityBytes }: VolumeDocument): bigint {
  return PROMISING.has(type) ? capacityBytes : 0n;
}

const PROMISING: ReadonlySet<VolumeDocument["type"]> = new Set(["file", "block", "network"]);
