import type { ChainProblem, PoolPlace } from "./chain-link.js";
import type { ImageSource } from "./image-source.js";

/** What resolving a chain needs of storage: every look and every open passes here. */
export interface ChainStorage {
  /**
   * Looks where a path leads. Opens nothing but directories. Rejects for no reason that the path or what lies there could
   * give. `followsSymlink`: whether the last component may be one.
   */
  look(path: string, followsSymlink: boolean): Promise<Look>;
}

export type Look = Found | Obstacle;

/** A regular file or block device. Whoever is given one disposes of it. */
export interface Found extends AsyncDisposable {
  readonly kind: "file" | "block";
  /** `identityOf` it: the same for whatever is the same file or device, by any path. */
  readonly identity: string;
  /** Of a file; of a device it is known when it is open. */
  readonly sizeBytes: bigint;
  readonly allocatedBytes: bigint;
  readonly inside: PoolPlace | null;
  readonly problems: readonly ChainProblem[];
  /** Opens what was looked at, for reading; rejects when it is something else by now. */
  open(): Promise<OpenSource>;
}

export type OpenSource = ImageSource & AsyncDisposable;

/** There is nothing that could be opened. */
export interface Obstacle {
  readonly kind: "obstacle";
  readonly inside: PoolPlace | null;
  readonly problems: readonly ChainProblem[];
}
