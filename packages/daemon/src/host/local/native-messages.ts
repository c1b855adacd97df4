import type { HostStep } from "../host.js";
import type { NativeArguments, NativeCallName, NativeResult } from "./native-calls.js";

/** Memory that a native thread shares with the main thread: two counters, then one message at a time, each way. */
export interface SharedMemory {
  readonly counters: SharedArrayBuffer;
  readonly message: SharedArrayBuffer;
}

/** 4-byte units of `counters`. A side that raises its counter has put a message of that length there. */
export const counter = { asked: 0, answered: 1, length: 2 } as const;

export const counterBytes = 12;

export type NativeQuestion = {
  [Name in NativeCallName]: readonly [Name, NativeArguments<Name>];
}[NativeCallName];

export type NativeAnswer =
  | { readonly value: NativeResult<NativeCallName> }
  | { readonly errno: number; readonly step: HostStep | undefined }
  /** No failure of a system call. */
  | { readonly message: string };
