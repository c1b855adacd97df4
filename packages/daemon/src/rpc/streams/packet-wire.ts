import {
  encodeError,
  encodeHeader,
  encodePacket,
  type Frame,
  type FrameHeader,
  MessageStatus,
  MessageType,
  streamHole,
} from "@cistern/protocol";
import { limits } from "../../limits.js";
import type { Outbox } from "../outbox.js";
import type { StreamWire } from "./server-stream.js";

/** The packets of the stream that `call` opened. */
export function packetWire(
  call: Frame,
  outbox: Outbox,
  session: Pick<StreamWire, "forget" | "disconnect">,
): StreamWire {
  const { program, version, procedure, serial } = call;
  const header = (type: number, status: number): FrameHeader => ({ program, version, procedure, serial, type, status });
  const sendEmpty = (status: number): void => outbox.send(encodeHeader(header(MessageType.STREAM, status), 0));
  return {
    data: (bytes) =>
      new Promise((resolve) => {
        for (let start = 0; start < bytes.length; start += limits.streamPacketBytes) {
          const body = bytes.subarray(start, start + limits.streamPacketBytes);
          const isLast = start + body.length === bytes.length;
          outbox.send(encodeHeader(header(MessageType.STREAM, MessageStatus.CONTINUE), body.length));
          outbox.send(body, isLast ? () => resolve() : undefined);
        }
      }),
    hole(length) {
      const hole = { length, flags: 0 };
      outbox.send(encodePacket(header(MessageType.STREAM_HOLE, MessageStatus.CONTINUE), streamHole, hole));
    },
    endOfFile: () => sendEmpty(MessageStatus.CONTINUE),
    confirm: () => sendEmpty(MessageStatus.OK),
    fail: (error) => outbox.send(encodeError(call, error, MessageType.STREAM)),
    ...session,
  };
}
