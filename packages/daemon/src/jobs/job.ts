import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../cancel-signal.js";
import type { HostError } from "../host/index.js";

/** The journal cannot be written, so that nothing was begun: what fails is its disk, and not that of the storage. */
export class JournalFailure extends LibvirtError {
  /** `path`: the journal's directory. `title`: of the job. */
  constructor(path: string, title: string, cause: HostError) {
    const detail = `${title}: it cannot be written down in the journal '${path}'`;
    const { message } = LibvirtError.system(ErrorDomain.STORAGE, cause.errno, detail);
    super(ErrorCode.SYSTEM_ERROR, ErrorDomain.STORAGE, message, {
      str1: "%s",
      str2: message,
      int1: cause.errno,
      cause,
    });
  }
}

export interface ProgressOptions {
  /** Whether these bytes are read or written; false: they are only reserved or shared, and how many in a second says nothing. */
  readonly isMoved: boolean;
}

/** What slow work is handed: whether it is still wanted, where to say how far it is, and what it would leave behind. */
export interface Job {
  /** Aborts when the work is to be given up; whoever did it undoes what it made. */
  readonly signal: CancelSignal;
  progress(doneBytes: bigint, totalBytes: bigint, options?: ProgressOptions): void;
  /** Waits until so many more bytes may be moved, where the job's bandwidth is limited. To be called before each step. */
  pace(bytes: bigint): Promise<void>;
  /** What is left is little, and its end is waited for: it is not paced any more. */
  hurry(): void;
  /** null: not limited. For programs that limit themselves; what they move is not paced. */
  readonly bandwidthBytesPerSecond: bigint | null;
  /** By which way it is done, where there are several: "reflink", "copy of data extents in the kernel". */
  way(text: string): void;
  /** What whoever asked for it should know, although it is no failure: a whole sentence. */
  remark(text: string): void;
  /**
   * Writes down what would be left if the daemon died now, before it is made; on disk when the promise resolves. The next
   * daemon undoes or reports it. JournalFailure: nothing was written, and nothing may be made.
   */
  record(trace: Trace): Promise<Recorded>;
  /** Says which program works for it, for the record. `startTime`: field 22 of /proc/PID/stat. */
  child(child: ChildProcessIdentity): void;
}

export interface ChildProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
}

export interface Recorded {
  /**
   * Nothing is left any more, or what is there is complete (and on the disk, where the trace would cut it). Never rejects, but
   * gives why the next daemon may undo what is complete all the same: that is not to be reported as done. null: it will not.
   */
  release(): Promise<Error | null>;
  /** Something is left that could not be undone: that is for the next daemon. Never rejects. */
  keep(): Promise<void>;
}

/** A directory, so that it is known again: its path may lead elsewhere by then. */
export interface RecordedDirectory {
  readonly path: string;
  readonly inode: bigint;
}

/** What work can leave behind. */
export type Trace =
  /** A file (or directory) under a temporary name: it is removed. */
  | { readonly kind: "temporary"; readonly directory: RecordedDirectory; readonly name: string }
  /** A file that is being made longer or shorter: it has its old or its new size; space reserved behind its end is freed. */
  | { readonly kind: "resize"; readonly directory: RecordedDirectory; readonly name: string }
  /** A file whose content is being replaced in place: it may have some of both, which is said. */
  | ContentTrace
  /** The same of a device. */
  | { readonly kind: "device"; readonly path: string }
  | UnitTrace;

export interface ContentTrace {
  readonly kind: "content";
  readonly directory: RecordedDirectory;
  readonly name: string;
  /** The length that it had, to which it is cut back. null: it may get another one, or is not to be cut. */
  readonly sizeBytes: bigint | null;
}

/** What storage that has no files is divided into (a logical volume, a partition, a zvol): its pool's driver removes it. */
export interface UnitTrace {
  readonly kind: "unit";
  /** Of the driver that knows it. */
  readonly poolType: string;
  /** What it is made in: a volume group, a disk's device, a dataset. */
  readonly place: string;
  readonly name: string;
  /** What only this unit has, so that another one of the name is left alone; in the driver's own words. */
  readonly identity: string;
}

/** Work that nobody watches, stops or waits for long: an answer at once, or none. */
export const QUICK_JOB: Job = {
  signal: new AbortController().signal,
  progress: () => {},
  pace: async () => {},
  hurry: () => {},
  bandwidthBytesPerSecond: null,
  way: () => {},
  remark: () => {},
  record: async () => ({ release: async () => null, keep: async () => {} }),
  child: () => {},
};
