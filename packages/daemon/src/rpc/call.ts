import type { Procedure, procedures } from "@cistern/protocol";
import type { Caller } from "../access/caller.js";
import type { CancelSignal } from "../cancel-signal.js";
import type { Download } from "../volumes/download.js";
import type { Upload } from "../volumes/upload.js";
import type { JobWatches } from "./job-watches.js";
import type { Subscriptions } from "./subscriptions.js";

/** One call of one client, as its handler sees it. */
export interface Call {
  /** Stands in every log line about the call: "7.12" is the twelfth call of client 7. */
  readonly id: string;
  readonly caller: Caller;
  readonly connection: ClientConnection;
}

/** What a handler may ask of the connection a call came by. */
export interface ClientConnection {
  /** Of this client, in the log. */
  readonly id: number;
  /** Aborts when the connection ends, whoever ends it. */
  readonly gone: CancelSignal;
  /** null before CONNECT_OPEN. */
  readonly opened: OpenedAs | null;
  readonly subscriptions: Subscriptions;
  readonly jobWatches: JobWatches;
  /** Whether what guests are only defined with may be destroyed by this client; null: as the configuration says. */
  refusesDefinedUses: boolean | null;
  open(name: string | null, readOnly: boolean): void;
  /** The client answers pings: the server may send them. */
  startKeepalive(): void;
  identify(facts: Readonly<Record<string, string | number | bigint | boolean>>, elevated: boolean): void;
  /** Ends the connection once the reply is on its way. */
  closeAfterReply(): void;
}

export interface OpenedAs {
  readonly driver: "storage" | "qemu";
  /** "storage:///system": what CONNECT_GET_URI answers. */
  readonly uri: string;
}

type Procedures = typeof procedures;
export type ProcedureName = keyof Procedures;
type ArgsOf<P> = P extends Procedure<infer Args, infer _Result> ? Args : never;
type ResultOf<P> = P extends Procedure<infer _Args, infer Result> ? Result : never;

type StreamProcedure = "storageVolUpload" | "storageVolDownload";

/** How a procedure is answered; a missing one is answered "unknown procedure" or "not supported". */
export type Handlers = {
  readonly [Name in Exclude<ProcedureName, StreamProcedure>]?: (
    args: ArgsOf<Procedures[Name]>,
    call: Call,
  ) => ResultOf<Procedures[Name]> | Promise<ResultOf<Procedures[Name]>>;
};

/** Procedures whose reply opens a stream give what flows. */
export interface StreamHandlers {
  readonly storageVolUpload: (args: ArgsOf<Procedures["storageVolUpload"]>, call: Call) => Promise<Upload>;
  readonly storageVolDownload: (args: ArgsOf<Procedures["storageVolDownload"]>, call: Call) => Promise<Download>;
}
