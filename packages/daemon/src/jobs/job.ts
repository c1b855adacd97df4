/** What slow work is handed: how to see that it is no longer wanted, and where to say how far it is. */
export interface Job {
  readonly signal: AbortSignal;
  progress(doneBytes: bigint, totalBytes: bigint): void;
}
