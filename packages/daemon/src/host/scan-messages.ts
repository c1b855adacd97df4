import type { ScanBatch } from "./scan-batch.js";

/** What the main thread says to a scan thread. A thread works on one scan at a time. */
export type ScanOrder =
  | { readonly type: "scan"; readonly scan: ScanJob }
  /** Read these entries of an earlier "facts" batch; it may be forgotten after that. */
  | { readonly type: "read"; readonly batch: number; readonly indexes: readonly number[] }
  /** One more batch may be sent. */
  | { readonly type: "more" }
  | { readonly type: "stop" }
  /** Stop, and end the thread. */
  | { readonly type: "close" };

export interface ScanJob {
  readonly directory: number;
  readonly headBytes: number;
  readonly windows: readonly { readonly offset: number; readonly length: number }[];
  /** Send facts only, and read what is then asked for. */
  readonly factsFirst: boolean;
  /** Whether a symlink is followed wherever it leads, or only where that is no storage that can hang. */
  readonly follows: "everywhere" | "local";
}

/** What a scan thread says; "end" or "failed" is the last word on a scan. */
export type ScanAnswer =
  | { readonly type: "facts"; readonly number: number; readonly batch: ScanBatch }
  | { readonly type: "contents"; readonly number: number; readonly batch: ScanBatch }
  | { readonly type: "end" }
  | { readonly type: "failed"; readonly code: string; readonly errno: number; readonly message: string };
