import type { ChainLink, ImageDetails } from "../drivers/index.js";

export type {
  ChainLink,
  ChainProblem,
  ChainProblemKind,
  EncryptionMethod,
  FormatOrigin,
  ImageBacking,
  ImageDetails,
  PoolPlace,
  Qcow2Bitmap,
  Qcow2DataFile,
  Qcow2Facts,
  Qcow2Feature,
  Qcow2List,
  Qcow2Snapshot,
} from "../drivers/index.js";

/** What is in a volume, and on what it rests. */
export interface VolumeInspection {
  readonly pool: string;
  readonly volume: string;
  /** null: the volume is no image (a directory), or its recorded format is raw, into which nobody looks. */
  readonly image: ImageDetails | null;
  /** The volume first, then each link after the one that names it, a data file before the backing file. */
  readonly chain: readonly ChainLink[];
  /** False where the chain ends at a problem: what lies behind it is not known. */
  readonly isComplete: boolean;
}
