import type {
  CommandResult,
  CopiedRange,
  Directory,
  File,
  FileFacts,
  Host,
  HostStep,
  ScanEvidence,
  ScannedEntry,
  StartedProgram,
} from "../host.js";

/** What the daemon and the child process of a remote home say to each other, as structured clones over the IPC channel. */

export type ToChild =
  /** `target`: a handle of the child, 0 for its host. The method's options are sent apart: only these few can travel. */
  | {
      readonly type: "call";
      readonly id: number;
      readonly target: number;
      readonly method: string;
      readonly args: readonly unknown[];
      readonly timeoutMs: number;
    }
  | { readonly type: "cancel"; readonly id: number }
  /** A part of the evidence of a scan that will be called with this id: all at once would hold up the daemon. */
  | { readonly type: "known"; readonly id: number; readonly entries: readonly (readonly [string, ScanEvidence])[] }
  /** One more batch may be sent. */
  | { readonly type: "more"; readonly id: number };

export type FromChild =
  | { readonly type: "ready" }
  | { readonly type: "result"; readonly id: number; readonly value: unknown }
  | {
      readonly type: "error";
      readonly id: number;
      readonly code: string;
      readonly errno: number;
      readonly message: string;
      readonly step: HostStep | undefined;
    }
  /** The call is alive; with numbers where its caller asked for them. */
  | {
      readonly type: "progress";
      readonly id: number;
      readonly doneBytes: bigint | null;
      readonly totalBytes: bigint | null;
    }
  | { readonly type: "batch"; readonly id: number; readonly entries: readonly ScannedEntry[] }
  /** A command runs in this process group. */
  | { readonly type: "started"; readonly id: number; readonly processGroup: number }
  /** The command's own process, and what it writes; where its caller asked for them. */
  | { readonly type: "program"; readonly id: number; readonly program: StartedProgram }
  | { readonly type: "output"; readonly id: number; readonly text: string }
  | { readonly type: "fatal"; readonly message: string };

/** An open directory or file of the child. */
export interface OpenedHandle {
  readonly handle: number;
  readonly path: string;
}

/** Where a handle is open, for a process that runs a command with it. */
export interface HandleLocation {
  readonly pid: number;
  readonly fd: number;
  readonly device: bigint;
  readonly inode: bigint;
}

/** A command's argument on its way: a handle of the child that runs it, or of another process. */
export type SentArgument =
  | string
  | { readonly unshown: string }
  | {
      readonly before: string;
      readonly after: string;
      readonly escapesCommas: boolean;
      readonly kind: "entry" | "file";
      readonly name: string;
      readonly shown: string;
      readonly at: { readonly handle: number } | HandleLocation;
    };

export interface SentCommand {
  readonly program: string;
  readonly args: readonly SentArgument[];
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number | null;
  readonly inactivityMs: number;
  readonly outputLimitBytes: number | null;
  readonly input: Uint8Array | null;
  readonly leavesRunning: boolean;
  readonly wantsStart: boolean;
  readonly wantsOutput: boolean;
}

/** Methods a child serves by calling the local implementation's method of the same name. */
export const servedMethods = {
  host: [
    "openDirectory",
    "facts",
    "openFile",
    "makeDirectories",
    "makeDirectory",
    "removeDirectory",
  ] satisfies (keyof Host)[],
  directory: [
    "facts",
    "identity",
    "space",
    "keptBytes",
    "fileSystem",
    "names",
    "lookup",
    "look",
    "readLink",
    "open",
    "createUnnamed",
    "createNamed",
    "createWhole",
    "publishEntry",
    "openDirectory",
    "makeDirectory",
    "removeFile",
    "removeDirectory",
    "rename",
    "symlink",
    "readFile",
    "writeFileAtomically",
    "sync",
    "setLabel",
    "changeMode",
    "changeOwner",
    "setNoCopyOnWrite",
  ] satisfies (keyof Directory)[],
  file: [
    "facts",
    "sizeBytes",
    "checkOffset",
    "read",
    "write",
    "truncate",
    "allocate",
    "zero",
    "overwriteWithZeros",
    "seekData",
    "seekHole",
    "dataFrom",
    "overwrite",
    "discard",
    "discardUnwritten",
    "sync",
    "syncData",
    "startWriteback",
    "setLabel",
    "blocksFrom",
    "storageTraits",
    "changeMode",
    "changeOwner",
    "setNoCopyOnWrite",
  ] satisfies (keyof File)[],
} as const;

/** What travels for a method's result. */
type Sent<Result> = Result extends Directory | File ? OpenedHandle : Result;

type ServedResults<Target> = {
  [Method in keyof Target]: Target[Method] extends (...args: never[]) => Promise<infer Result> ? Sent<Result> : never;
};

/** Results by method; the last few exist only between daemon and child. */
export interface HostResults extends Pick<ServedResults<Host>, (typeof servedMethods.host)[number]> {
  readonly run: CommandResult;
}
export interface DirectoryResults extends Pick<ServedResults<Directory>, (typeof servedMethods.directory)[number]> {
  readonly scan: null;
  readonly publish: FileFacts;
  readonly close: undefined;
  readonly location: HandleLocation;
}
export interface FileResults extends Pick<ServedResults<File>, (typeof servedMethods.file)[number]> {
  readonly cloneFrom: undefined;
  readonly copyRange: CopiedRange;
  readonly close: undefined;
  readonly location: HandleLocation;
}
