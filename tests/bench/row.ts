import type { Connection } from "@cistern/client";
import type { PoolReference } from "@cistern/protocol";

/** What a row finds ready on each side: an active directory pool full of images, and an empty one. */
export interface Stage {
  readonly name: string;
  readonly connection: Connection;
  /** One more connection; it is closed with the side. */
  connect(): Promise<Connection>;
  /** The daemon's. */
  readonly pid: number;
  readonly full: PoolReference;
  readonly fullPath: string;
  readonly volumes: number;
  readonly empty: PoolReference;
  readonly emptyPath: string;
}

interface RowFacts {
  readonly name: string;
  /** In words, `volumes` being the number in the full pool. */
  title(volumes: number): string;
  readonly unit: "µs" | "ms";
  readonly rounds: { readonly normal: number; readonly quick: number };
  /** Operations in one sample; the sample is the time of one of them. */
  readonly operations: number;
  /** How many times as fast as libvirtd cisternd shall be. */
  readonly target?: number;
  /** Needs the full pool. */
  readonly usesImages?: true;
  /** Moves so much that it has to be a real disk's work. */
  readonly usesDisk?: true;
  /**
   * Each sample is the second of two runs. For what fills much memory: a virtual machine may give back to its host what
   * runs before have freed, and gets it anew page by page, slower than it is copied. The first run pays for that.
   */
  readonly runsTwice?: true;
}

/** Does the operation once. `turn` never repeats. Returns milliseconds where not everything it does counts. */
export interface PlainRow extends RowFacts {
  run(stage: Stage, turn: number): Promise<number | undefined>;
}

/** An operation on something that is made beforehand, on each side. */
export interface PreparedRow extends RowFacts {
  prepare(stage: Stage): Promise<Prepared>;
}

export interface Prepared {
  run(turn: number): Promise<number | undefined>;
  /** What was wrong with what the operations made, null when nothing was; asked of cisternd's side. */
  complaint?(): string | null;
  /** Removes what was made. */
  end(): Promise<void>;
}

export type Row = PlainRow | PreparedRow;

export function prepared(row: Row, stage: Stage): Promise<Prepared> {
  if ("prepare" in row) return row.prepare(stage);
  return Promise.resolve({ run: (turn: number) => row.run(stage, turn), end: () => Promise.resolve() });
}
