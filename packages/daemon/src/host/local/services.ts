import type { CallOptions, Host, ScannedEntry, ScanRequest } from "../host.js";
import type { ScannedDirectory } from "../scan.js";
import type { NameWatches } from "./name-watches.js";
import type { NativeLanes } from "./native-lane.js";
import type { OpenedDirectory } from "./remembered-directories.js";

/** What open directories and files of the local home need of it. */
export interface LocalServices {
  readonly host: Host;
  readonly lanes: NativeLanes;
  readonly watches: NameWatches;
  /** Whether a file may stay open while its name is removed; NFS would give it another one for so long. */
  readonly mayHoldRemoved: boolean;
  /** Another home the path belongs to; null when it belongs here. */
  elsewhere(path: string): Promise<Elsewhere | null>;
  /** The directory at a path as it is now. */
  openAnew(path: string): Promise<OpenedDirectory>;
  scan(
    directory: ScannedDirectory,
    request: ScanRequest,
    options: CallOptions | undefined,
  ): AsyncIterable<readonly ScannedEntry[]>;
}

export interface Elsewhere {
  readonly host: Host;
  readonly path: string;
}
