import type { HostStep } from "../host.js";
import type { NativeArguments, NativeCallName, NativeResult } from "./native-calls.js";
import type { PathGuard } from "./path-guard.js";

/** Memory that a native thread shares with the main thread: counters, and one message at a time, each way. */
export interface SharedMemory {
  readonly counters: SharedArrayBuffer;
  readonly message: SharedArrayBuffer;
}

/**
 * 4-byte units of `counters`. A side that raises its counter has put a message there (native-codec.ts); or, once `closing` is
 * not 0, the thread is to end.
 */
export const counter = { asked: 0, answered: 1, closing: 2 } as const;

export const counterBytes = 12;

export type NativeQuestion = {
  [Name in NativeCallName]: readonly [Name, NativeArguments<Name>, PathGuard | null];
}[NativeCallName];

export type NativeAnswer =
  | { readonly value: NativeResult<NativeCallName> }
  /** Nothing was done: the guard's path leads elsewhere, or nowhere. */
  | { readonly moved: true }
  | { readonly errno: number; readonly step: HostStep | undefined }
  /** No failure of a system call. */
  | { readonly message: string };
