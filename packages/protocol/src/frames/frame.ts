import { LIMITS } from "../limits.js";
import { ProtocolError } from "../protocol-error.js";
import type { Schema } from "../xdr/schema.js";
import { XdrWriter } from "../xdr/writer.js";

/** Programs that may be spoken on one connection. */
export const PROGRAM = {
  REMOTE: 0x20008086,
  QEMU: 0x20008087,
  LXC: 0x00068000,
  /** Cistern's own, "Cist": what libvirt's protocol has no words for. */
  CISTERN: 0x43697374,
  KEEPALIVE: 0x6b656570,
} as const;

/** The version of every program here. */
export const PROGRAM_VERSION = 1;

export const MessageType = {
  CALL: 0,
  REPLY: 1,
  /** An event, or a keepalive packet. */
  MESSAGE: 2,
  STREAM: 3,
  CALL_WITH_FDS: 4,
  REPLY_WITH_FDS: 5,
  STREAM_HOLE: 6,
} as const;

export const MessageStatus = {
  OK: 0,
  ERROR: 1,
  /** More of the same stream follows. */
  CONTINUE: 2,
} as const;

/**
 * What stands in front of each packet's body, after the length word, as big-endian 32-bit words:
 * program, version, procedure (signed), type, serial, status.
 */
export interface FrameHeader {
  readonly program: number;
  readonly version: number;
  readonly procedure: number;
  /** A `MessageType`; other numbers reach the receiver as they are. */
  readonly type: number;
  /** Chosen by the caller and repeated in the reply and in every packet of the stream; 0 in events. */
  readonly serial: number;
  /** A `MessageStatus`; other numbers reach the receiver as they are. */
  readonly status: number;
}

export interface Frame extends FrameHeader {
  /** The body. It may share memory with the chunk that brought it: copy what must outlive it. */
  readonly payload: Uint8Array;
}

/** The length word and header for a body of `payloadBytes`, for callers that write the body themselves. */
export function encodeHeader(header: FrameHeader, payloadBytes: number): Uint8Array {
  if (payloadBytes > LIMITS.bodyBytes) {
    throw new ProtocolError("encode", `A body of ${payloadBytes} bytes is over the limit of ${LIMITS.bodyBytes}`);
  }
  const writer = new XdrWriter(LIMITS.headerBytes, LIMITS.headerBytes);
  writeHeader(writer, header, LIMITS.headerBytes + payloadBytes);
  return writer.finish();
}

/** One packet, ready to be sent. The body is copied. */
export function encodeFrame(frame: Frame): Uint8Array {
  const header = encodeHeader(frame, frame.payload.length);
  const packet = new Uint8Array(header.length + frame.payload.length);
  packet.set(header);
  packet.set(frame.payload, header.length);
  return packet;
}

/** One packet whose body is `value`, written into one buffer. Throws `ProtocolError` ("encode"). */
export function encodePacket<T>(header: FrameHeader, schema: Schema<T>, value: T): Uint8Array {
  const writer = new XdrWriter();
  writeHeader(writer, header, 0);
  schema.encode(writer, value);
  writer.patchUint32(0, writer.lengthBytes);
  return writer.finish();
}

function writeHeader(writer: XdrWriter, header: FrameHeader, lengthBytes: number): void {
  writer.uint32(lengthBytes);
  writer.uint32(header.program);
  writer.uint32(header.version);
  writer.int32(header.procedure);
  writer.int32(header.type);
  writer.uint32(header.serial);
  writer.int32(header.status);
}
