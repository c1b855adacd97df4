import {
  type AnyProcedure,
  auth,
  decodeArguments,
  ErrorCode,
  ErrorDomain,
  type Frame,
  LibvirtError,
  procedures,
} from "@cistern/protocol";
import { authorize } from "../access/authorize.js";
import type { Download } from "../volumes/download.js";
import type { Upload } from "../volumes/upload.js";
import type { Call, Handlers, ProcedureName, StreamHandlers } from "./call.js";

/** What became of a call: a value to encode by the procedure's schema, or a stream that its reply opens. */
export type Outcome =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "upload"; readonly upload: Upload; readonly flags: number }
  | { readonly kind: "download"; readonly download: Download };

type AnyHandler = (args: unknown, call: Call) => unknown;

const nameOf: ReadonlyMap<AnyProcedure, ProcedureName> = new Map(
  Object.entries(procedures).map(([name, procedure]) => [procedure as AnyProcedure, name as ProcedureName]),
);

/** Calls that make sense before the connection is opened. */
const BEFORE_OPEN: ReadonlySet<AnyProcedure> = new Set<AnyProcedure>([
  ...Object.values<AnyProcedure>(auth),
  procedures.connectOpen as AnyProcedure,
  procedures.connectClose as AnyProcedure,
]);
const FEATURE_KEEPALIVE = 10;

/** From the call of a known procedure to its outcome. Refusals before the handler are libvirt's, in libvirt's order. */
export class Dispatcher {
  readonly #handlers: Handlers;
  readonly #streams: StreamHandlers;

  constructor(handlers: Handlers, streams: StreamHandlers) {
    this.#handlers = handlers;
    this.#streams = streams;
  }

  async run(procedure: AnyProcedure, frame: Frame, call: Call): Promise<Outcome> {
    const args = decodeArguments(procedure, frame);
    if (call.connection.opened === null && !mayPrecedeOpen(procedure, args)) {
      throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.RPC, "hypervisor connection not open");
    }
    authorize(call.caller, procedure);
    if (procedure === procedures.storageVolUpload) {
      const upload = args as Parameters<StreamHandlers["storageVolUpload"]>[0];
      return { kind: "upload", upload: await this.#streams.storageVolUpload(upload, call), flags: upload.flags };
    }
    if (procedure === procedures.storageVolDownload) {
      const download = args as Parameters<StreamHandlers["storageVolDownload"]>[0];
      return { kind: "download", download: await this.#streams.storageVolDownload(download, call) };
    }
    return { kind: "value", value: await this.#handlerOf(procedure)(args, call) };
  }

  #handlerOf(procedure: AnyProcedure): AnyHandler {
    const name = nameOf.get(procedure);
    const table: Readonly<Partial<Record<ProcedureName, unknown>>> = this.#handlers;
    const handler = name === undefined ? undefined : table[name];
    if (handler === undefined) throw LibvirtError.unsupported(procedure.errorDomain, procedure.api);
    return handler as AnyHandler;
  }
}

/** Whether the client answers pings is settled before CONNECT_OPEN, by a call that otherwise comes after it. */
function mayPrecedeOpen(procedure: AnyProcedure, args: unknown): boolean {
  if (BEFORE_OPEN.has(procedure)) return true;
  return procedure === procedures.connectSupportsFeature && (args as { feature: number }).feature === FEATURE_KEEPALIVE;
}
