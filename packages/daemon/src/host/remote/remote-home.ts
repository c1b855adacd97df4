import type { Host } from "../host.js";

/** What open directories and files of a remote home need of it. */
export interface RemoteHome extends Host {
  readonly callMs: number;
  /** For calls whose work grows with the data; for bulk calls, the longest time without progress. */
  readonly slowCallMs: number;
}
