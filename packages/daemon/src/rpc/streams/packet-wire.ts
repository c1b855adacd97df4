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
    async data(bytes) {
      outbox.send(encodeHeader(header(MessageType.STREAM, MessageStatus.CONTINUE), bytes.length));
      outbox.send(bytes);
      await outbox.drained();
    },
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
