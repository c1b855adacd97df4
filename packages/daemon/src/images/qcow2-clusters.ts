import type { Geometry } from "./qcow2-geometry.js";

export interface ClusterRange {
  readonly cluster: number;
  readonly count: number;
}

/** Clusters before this one are the header, the refcount table and the first refcount block. */
const FIRST_FREE = 3;
const FIRST_REFCOUNT_BLOCK = 2;

/**
 * Hands out a new image's clusters one after the other, as qemu does: when a range reaches into clusters that no refcount
 * block counts yet, the block that counts them (and itself) is put right behind the range.
 */
export class Qcow2Clusters {
  /** The cluster of each refcount block. */
  readonly blocks: number[] = [FIRST_REFCOUNT_BLOCK];
  /** Everything from here on is free. */
  next = FIRST_FREE;
  readonly #refcountsPerBlock: number;

  constructor({ refcountsPerBlock }: Geometry) {
    this.#refcountsPerBlock = refcountsPerBlock;
  }

  /** The first of `count` adjacent clusters; fewer than a block counts. */
  take(count: number): number {
    const first = this.next;
    this.next += count;
    if (this.next > this.blocks.length * this.#refcountsPerBlock) this.blocks.push(this.next++);
    return first;
  }
}
