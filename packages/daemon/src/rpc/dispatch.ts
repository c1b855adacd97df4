import {
  type AnyProcedure,
  auth,
  decodeXdr,
  ErrorCode,
  ErrorDomain,
  type Frame,
  LibvirtError,
  MessageStatus,
  PROGRAM,
  PROGRAM_VERSION,
  procedureByNumber,
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

/** From a CALL packet to its outcome. Refusals before the handler are libvirt's, in libvirt's order. */
export class Dispatcher {
  readonly #handlers: Handlers;
  readonly #streams: StreamHandlers;

  constructor(handlers: Handlers, streams: StreamHandlers) {
    this.#handlers = handlers;
    this.#streams = streams;
  }

  /** The procedure a packet calls, or the refusal. */
  procedureOf(frame: Frame): AnyProcedure {
    if (frame.program !== PROGRAM.REMOTE || frame.version !== PROGRAM_VERSION) {
      throw rpcError(`Cannot find program ${frame.program} version ${frame.version}`);
    }
    if (frame.status !== MessageStatus.OK) throw rpcError(`Unexpected message status ${frame.status}`);
    const procedure = procedureByNumber(frame.procedure);
    if (procedure === undefined) throw rpcError(`unknown procedure: ${frame.procedure}`);
    return procedure;
  }

  async run(procedure: AnyProcedure, frame: Frame, call: Call): Promise<Outcome> {
    const args = decodeArgs(procedure, frame);
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

function decodeArgs(procedure: AnyProcedure, frame: Frame): unknown {
  return decodeXdr(procedure.args, frame.payload).value;
}

/** Whether the client answers pings is settled before CONNECT_OPEN, by a call that otherwise comes after it. */
function mayPrecedeOpen(procedure: AnyProcedure, args: unknown): boolean {
  if (BEFORE_OPEN.has(procedure)) return true;
  return procedure === procedures.connectSupportsFeature && (args as { feature: number }).feature === FEATURE_KEEPALIVE;
}

function rpcError(detail: string): LibvirtError {
  return LibvirtError.of(ErrorCode.RPC, ErrorDomain.RPC, detail);
}
