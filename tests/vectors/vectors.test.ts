import {
  decodeArguments,
  decodeXdr,
  encodeError,
  encodeFrame,
  encodePacket,
  type Frame,
  FrameDecoder,
  keepaliveKind,
  LIMITS,
  LibvirtError,
  MessageStatus,
  MessageType,
  messageByNumber,
  nothing,
  PROGRAM,
  procedureByNumber,
  remoteError,
  resolveCall,
  type Schema,
  streamHole,
} from "@cistern/protocol";
import { afterAll, describe, expect, it } from "vitest";
import { badPackets } from "./bad-packets.js";
import { type RecordedPacket, readRecordings } from "./recordings.js";

const recordings = readRecordings();
const badByPlace = new Map(badPackets.map((packet) => [`${packet.file} ${packet.label}`, packet]));

let roundTripped = 0;
let judged = 0;
afterAll(() => console.log(`vectors: ${roundTripped} packets round-trip, ${judged} bad ones as recorded`));

describe("packets recorded from libvirt 9.0.0", () => {
  it.each([...recordings])(
    "%s: every well-formed packet decodes and encodes back to the same bytes",
    (_file, packets) => {
      let sent = 0;
      for (const packet of packets) {
        if (packet.bytes === null) continue;
        sent++;
        if (isBad(packet)) continue;
        const frame = parse(packet.bytes);
        const schema = bodySchema(frame);
        // What stands in stream data is the volume's own, and no XDR.
        if (schema === null) expect(hex(encodeFrame(frame)), place(packet)).toBe(hex(packet.bytes));
        else {
          const { value, trailingBytes } = decodeXdr(schema, frame.payload);
          expect(trailingBytes, place(packet)).toBe(0);
          expect(hex(encodePacket(frame, schema, value)), place(packet)).toBe(hex(packet.bytes));
          if (packet.body !== undefined && packet.body !== null)
            expect(plain(value), place(packet)).toEqual(packet.body);
        }
        roundTripped++;
      }
      expect(sent).toBeGreaterThan(0);
    },
  );

  it("arrive whole when the stream is cut anywhere", () => {
    const packets = [...recordings.values()].flat().flatMap((packet) => (packet.bytes === null ? [] : [packet.bytes]));
    const stream = Buffer.concat(packets);
    for (const chunkBytes of [1, 3, 27, 28, 29, 1000, 65_536]) {
      const decoder = new FrameDecoder();
      const frames: Frame[] = [];
      for (let offset = 0; offset < stream.length; offset += chunkBytes) {
        frames.push(...decoder.push(stream.subarray(offset, offset + chunkBytes)));
      }
      expect(frames.length).toBe(packets.length);
      expect(hex(Buffer.concat(frames.map(encodeFrame)))).toBe(hex(stream));
      expect(decoder.bufferedBytes).toBe(0);
    }
  });
});

describe("packets that are wrong on purpose get the recorded outcome", () => {
  it.each(badPackets)("$label ($reason): $outcome", ({ file, label, outcome }) => {
    const packets = recordings.get(file) ?? [];
    const position = packets.findIndex((packet) => packet.label === label && packet.direction === "client->server");
    const bad = packets[position];
    const answer = packets[position + 1];
    if (bad === undefined || bad.bytes === null || answer === undefined)
      throw new Error(`"${label}" is not in ${file}`);
    const frame = parse(bad.bytes);
    if (outcome === "silent") {
      // A server acts on calls only; what else has no stream behind it is dropped.
      expect(frame.type).not.toBe(MessageType.CALL);
      expect(answer.bytes).toBeNull();
    } else {
      const result = understand(frame);
      if (outcome === "tolerated") {
        expect(plain(result)).toEqual(bad.body);
        expect(hex(encodePacket(frame, argumentsSchema(frame), result))).not.toBe(hex(bad.bytes));
      } else {
        if (!(result instanceof LibvirtError)) throw new Error(`"${label}" was understood`);
        expect(hex(encodeError(frame, result))).toBe(hex(answer.bytes ?? new Uint8Array()));
      }
    }
    judged++;
  });
});

/** The arguments of a call, or the error it is answered with: by the functions that the daemon uses. */
function understand(frame: Frame): unknown {
  try {
    return decodeArguments(resolveCall(frame), frame);
  } catch (error) {
    return LibvirtError.from(error);
  }
}

function argumentsSchema(frame: Frame): Schema<unknown> {
  const procedure = procedureByNumber(frame.procedure);
  if (procedure === undefined) throw new Error(`There is no procedure ${frame.procedure}`);
  return procedure.args;
}

/** What the body of a packet consists of; null: of bytes. */
function bodySchema(frame: Frame): Schema<unknown> | null {
  if (keepaliveKind(frame) !== null) return nothing;
  // Only errors are answered in the name of programs that are not there.
  if (frame.type === MessageType.REPLY && frame.status === MessageStatus.ERROR) return remoteError;
  expect(frame.program).toBe(PROGRAM.REMOTE);
  switch (frame.type) {
    case MessageType.CALL:
      return argumentsSchema(frame);
    case MessageType.REPLY:
      return procedureByNumber(frame.procedure)?.result ?? fail(frame);
    case MessageType.MESSAGE:
      return messageByNumber(frame.procedure)?.payload ?? fail(frame);
    case MessageType.STREAM:
      if (frame.status === MessageStatus.ERROR && frame.payload.length > 0) return remoteError;
      return frame.status === MessageStatus.CONTINUE ? null : nothing;
    case MessageType.STREAM_HOLE:
      return streamHole;
    default:
      return fail(frame);
  }
}

function fail(frame: Frame): never {
  throw new Error(`Packet of procedure ${frame.procedure} and type ${frame.type} is not known`);
}

function isBad(packet: RecordedPacket): boolean {
  return packet.direction === "client->server" && badByPlace.has(`${packet.file} ${packet.label}`);
}

function parse(bytes: Uint8Array): Frame {
  const decoder = new FrameDecoder();
  const [frame, ...more] = decoder.push(bytes);
  if (frame === undefined || more.length > 0 || decoder.bufferedBytes > 0) throw new Error("Not exactly one packet");
  expect(frame.payload.length).toBe(bytes.length - LIMITS.headerBytes);
  return frame;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function place(packet: RecordedPacket): string {
  return `${packet.file} ${packet.index} ${packet.label ?? ""}`;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A value as the recordings' decoder wrote it down: numbers of every width alike, UUIDs without hyphens, SASL data as text. */
function plain(value: unknown, field = ""): unknown {
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "string") return field === "uuid" && UUID.test(value) ? value.replaceAll("-", "") : value;
  if (value instanceof Uint8Array)
    return field === "data" ? { chars: Buffer.from(value).toString("latin1") } : hex(value);
  if (Array.isArray(value)) return value.map((item) => plain(item, field));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item, name)]));
}
