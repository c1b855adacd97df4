import { encodeHeader, type Frame, MessageStatus, MessageType, PROGRAM, PROGRAM_VERSION } from "../frames/frame.js";

/** The keepalive program: a PING is answered by a PONG at once, in every state of a connection. */
export const Keepalive = { PING: 1, PONG: 2 } as const;
export type Keepalive = (typeof Keepalive)[keyof typeof Keepalive];

/** The whole packet: 28 bytes, no body. */
export function encodeKeepalive(kind: Keepalive): Uint8Array {
  const header = {
    program: PROGRAM.KEEPALIVE,
    version: PROGRAM_VERSION,
    procedure: kind,
    type: MessageType.MESSAGE,
    serial: 0,
    status: MessageStatus.OK,
  };
  return encodeHeader(header, 0);
}

/** Which keepalive packet a frame is; null: it is something else. */
export function keepaliveKind(frame: Frame): Keepalive | null {
  if (frame.program !== PROGRAM.KEEPALIVE || frame.version !== PROGRAM_VERSION) return null;
  if (frame.type !== MessageType.MESSAGE) return null;
  return frame.procedure === Keepalive.PING || frame.procedure === Keepalive.PONG ? frame.procedure : null;
}
