import { ErrorCode, ErrorDomain } from "./error-codes.js";
import { LibvirtError } from "./errors.js";
import {
  encodePacket,
  type Frame,
  type FrameHeader,
  MessageStatus,
  MessageType,
  PROGRAM,
  PROGRAM_VERSION,
} from "./frames/frame.js";
import type { AnyMessage, AnyProcedure, Message, Procedure } from "./procedures/procedure.js";
import { isKnownProgram, procedureByNumber } from "./procedures/registry.js";
import { domainReference, remoteError } from "./procedures/shared.js";
import { ProtocolError } from "./protocol-error.js";
import { struct } from "./xdr/composites.js";
import { uint } from "./xdr/scalars.js";
import { decodeXdr, type Schema } from "./xdr/schema.js";

/** Client: the packet of a call. Throws `ProtocolError` ("encode"). */
export function encodeCall<Args, Result>(procedure: Procedure<Args, Result>, serial: number, args: Args): Uint8Array {
  return encodePacket(headerOf(procedure, MessageType.CALL, serial), procedure.args, args);
}

/**
 * Server: which procedure a packet of type CALL wants. Throws what libvirt answers to unknown
 * programs, versions and procedures, and to a call whose status is not OK, in that order.
 */
export function resolveCall(frame: Frame): AnyProcedure {
  const foreign = foreignPrograms.get(frame.program);
  if ((!isKnownProgram(frame.program) && foreign === undefined) || frame.version !== PROGRAM_VERSION) {
    // Both numbers are printed as signed.
    throw rpcError(`Cannot find program ${frame.program | 0} version ${frame.version | 0}`);
  }
  if (frame.status !== MessageStatus.OK) throw rpcError(`Unexpected message status ${frame.status}`);
  if (foreign !== undefined) throw refuseForeign(frame, foreign);
  const procedure = procedureByNumber(frame.procedure, frame.program);
  if (procedure === undefined) throw unknownProcedure(frame);
  return procedure;
}

/** A procedure that is known well enough to be refused as libvirt refuses it. */
interface ForeignProcedure {
  readonly args: Schema<unknown>;
  readonly api: string;
}

/**
 * The programs of hypervisors, which libvirtd speaks besides REMOTE. A storage daemon has nothing behind them, but says
 * so about the procedure and not about the program: clients then report a missing function.
 */
const foreignPrograms: ReadonlyMap<number, ReadonlyMap<number, ForeignProcedure>> = new Map([
  [PROGRAM.QEMU, new Map<number, ForeignProcedure>()],
  [
    PROGRAM.LXC,
    new Map([[1, { args: struct({ dom: domainReference, flags: uint }), api: "virDomainLxcOpenNamespace" }]]),
  ],
]);

function refuseForeign(frame: Frame, procedures: ReadonlyMap<number, ForeignProcedure>): LibvirtError {
  const procedure = procedures.get(frame.procedure);
  if (procedure === undefined) return unknownProcedure(frame);
  decodeBody(procedure.args, frame);
  return LibvirtError.unsupported(ErrorDomain.DOMAIN, procedure.api);
}

function unknownProcedure(frame: Frame): LibvirtError {
  return rpcError(`unknown procedure: ${frame.procedure}`);
}

/** Server: the arguments of a call. Throws libvirt's 39/7 for a body that they cannot be read from. */
export function decodeArguments<Args>(procedure: Procedure<Args, unknown>, frame: Frame): Args {
  return decodeBody(procedure.args, frame);
}

/** Server: the reply to a call. Throws `ProtocolError` ("encode") for a result that is over a limit. */
export function encodeReply<Result>(
  call: FrameHeader,
  procedure: Procedure<unknown, Result>,
  result: Result,
): Uint8Array {
  return encodePacket({ ...call, type: MessageType.REPLY, status: MessageStatus.OK }, procedure.result, result);
}

/** Server: an error, as the reply to a call or (`type` STREAM) as the end of a stream. */
export function encodeError(call: FrameHeader, error: LibvirtError, type: number = MessageType.REPLY): Uint8Array {
  return encodePacket({ ...call, type, status: MessageStatus.ERROR }, remoteError, error.toWire());
}

/** Server: an event. */
export function encodeEvent<Payload>(message: Message<Payload>, payload: Payload): Uint8Array {
  return encodePacket(headerOf(message, MessageType.MESSAGE, 0), message.payload, payload);
}

/** Client: the result that a reply carries. Throws the `LibvirtError` that it carries instead. */
export function decodeReply<Result>(procedure: Procedure<unknown, Result>, frame: Frame): Result {
  if (frame.status === MessageStatus.ERROR) throw decodeError(frame);
  return decodeBody(procedure.result, frame);
}

/** Client: the error in a packet whose status is ERROR. */
export function decodeError(frame: Frame): LibvirtError {
  return LibvirtError.fromWire(decodeBody(remoteError, frame));
}

function decodeBody<T>(schema: Schema<T>, frame: Frame): T {
  try {
    return decodeXdr(schema, frame.payload).value;
  } catch (error) {
    if (error instanceof ProtocolError) throw LibvirtError.from(error);
    throw error;
  }
}

function headerOf(
  { program, number }: Pick<AnyProcedure | AnyMessage, "program" | "number">,
  type: number,
  serial: number,
): FrameHeader {
  return { program, version: PROGRAM_VERSION, procedure: number, type, serial, status: MessageStatus.OK };
}

function rpcError(text: string): LibvirtError {
  return LibvirtError.of(ErrorCode.RPC, ErrorDomain.RPC, text);
}
