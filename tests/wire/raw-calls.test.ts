import {
  connect,
  decodeReply,
  encodeFrame,
  type Frame,
  FrameDecoder,
  LibvirtError,
  MessageType,
  PROGRAM,
  procedureByNumber,
} from "@cistern/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PrivateDaemon } from "../robustness/private-daemon.js";
import { type RecordedPacket, readRecordings } from "../vectors/recordings.js";
import { RawClient } from "./raw-client.js";
import { notApplicable, wantedReplies } from "./wanted-replies.js";

interface Exchange {
  readonly call: RecordedPacket & { readonly bytes: Uint8Array };
  readonly reply: RecordedPacket;
}

const exchanges = exchangesOf(readRecordings().get("raw-errors.json") ?? []);
const conversations = conversationsOf(exchanges.filter(({ call }) => reasonNotApplicable(call) === null));

let daemon: PrivateDaemon;
let asRecorded = 0;
beforeAll(async () => {
  daemon = await PrivateDaemon.start();
});
afterAll(async () => {
  const left = exchanges.length - asRecorded - wantedReplies.size;
  console.log(`raw calls: ${asRecorded} as recorded, ${wantedReplies.size} wanted differences, ${left} not applicable`);
  await daemon?.close();
});

describe("calls made by hand are answered as libvirtd 9.0.0 answered them", () => {
  it.each(conversations)("$labels", async ({ exchanges: parts }) => {
    const client = await RawClient.connect(daemon.socket);
    /** Where nothing was answered, the reply to the next packet must be the next thing that comes. */
    for (const { call, reply } of parts) {
      client.send(call.bytes);
      if (reply.bytes === null) {
        if (isLast(parts, call)) expect(await client.next()).toBeNull();
        continue;
      }
      const answer = await client.next();
      if (answer === null) throw new Error(`"${call.label}": the connection was closed`);
      const wanted = wantedReplies.get(call.index);
      if (wanted === undefined) {
        expect(hex(encodeFrame(answer)), `${call.index} ${call.label}`).toBe(hex(reply.bytes));
        asRecorded++;
      } else {
        expect(wanted.label).toBe(call.label);
        expect(understood(answer), `${call.label}: ${wanted.reason}`).toEqual(wanted.body);
        expect(hex(encodeFrame(answer))).not.toBe(hex(reply.bytes));
      }
    }
    asRecorded += parts.filter(({ reply }) => reply.bytes === null).length;
    client.close();
  });

  it("every packet of the recording is replayed, or listed as not applicable", () => {
    const replayed = conversations.reduce((count, { exchanges: parts }) => count + parts.length, 0);
    const skipped = exchanges.filter(({ call }) => reasonNotApplicable(call) !== null);
    expect(replayed + skipped.length).toBe(exchanges.length);
    expect(skipped.map(({ call }) => call.index)).toEqual([188, 190, 192, 194, 196, 198]);
  });

  it("a second CONNECT_OPEN is refused and leaves the first as it is (libvirt's drops it: quirk 14)", async () => {
    const client = await RawClient.open(daemon.socket);
    const again = client.request(connect.connectOpen, { name: "qemu:///system", flags: 0 });
    await expect(again).rejects.toThrow("internal error: connection already open");
    expect(await client.request(connect.connectGetUri, undefined)).toEqual({ uri: "storage:///system" });
    client.close();
  });

  it("what is sent in one piece is answered call by call, refused ones included", async () => {
    const client = await RawClient.open(daemon.socket);
    const unknown = exchanges.find(({ call }) => call.label === "unknown proc 9999");
    const known = exchanges.find(({ call }) => call.label === "lookup nope");
    if (unknown === undefined || known === undefined) throw new Error("the recording lacks a call");
    const count = 300;
    client.send(Buffer.concat(Array.from({ length: count }, () => [unknown.call.bytes, known.call.bytes]).flat()));
    const answers = new Map<string, number>();
    for (let index = 0; index < 2 * count; index++) {
      const answer = await client.next();
      if (answer === null) throw new Error("the connection was closed");
      const bytes = hex(encodeFrame(answer));
      answers.set(bytes, (answers.get(bytes) ?? 0) + 1);
    }
    expect(answers).toEqual(
      new Map([
        [hex(unknown.reply.bytes ?? new Uint8Array()), count],
        [hex(known.reply.bytes ?? new Uint8Array()), count],
      ]),
    );
    client.close();
  });
});

/** Each packet of the client with what came next. */
function exchangesOf(packets: readonly RecordedPacket[]): Exchange[] {
  return packets.flatMap((call, index) => {
    const reply = packets[index + 1];
    if (call.direction !== "client->server" || call.bytes === null || reply === undefined) return [];
    return [{ call: { ...call, bytes: call.bytes }, reply }];
  });
}

/** A connection begins with a call of serial 0. */
function conversationsOf(parts: readonly Exchange[]): { labels: string; exchanges: Exchange[] }[] {
  const found: Exchange[][] = [];
  for (const exchange of parts) {
    const frame = parse(exchange.call.bytes);
    const begins = frame.program !== PROGRAM.KEEPALIVE && frame.type === MessageType.CALL && frame.serial === 0;
    if (begins) found.push([exchange]);
    else found.at(-1)?.push(exchange);
  }
  return found.map((conversation) => ({
    labels: conversation.length > 6 ? `${conversation.length} calls on one connection` : labelsOf(conversation),
    exchanges: conversation,
  }));
}

function labelsOf(conversation: readonly Exchange[]): string {
  return conversation.map(({ call }) => call.label).join(", ");
}

function isLast(parts: readonly Exchange[], call: RecordedPacket): boolean {
  return parts.at(-1)?.call.index === call.index;
}

function reasonNotApplicable({ index }: RecordedPacket): string | null {
  return notApplicable.find(({ from, to }) => from <= index && index <= to)?.reason ?? null;
}

/** The body of a reply, or the parts of its error. */
function understood(frame: Frame): unknown {
  const procedure = procedureByNumber(frame.procedure);
  if (procedure === undefined) throw new Error(`There is no procedure ${frame.procedure}`);
  try {
    return decodeReply(procedure, frame);
  } catch (error) {
    const { code, domain, message } = LibvirtError.from(error);
    return { code, domain, message };
  }
}

function parse(bytes: Uint8Array): Frame {
  const [frame] = new FrameDecoder().push(bytes);
  if (frame === undefined) throw new Error("not a packet");
  return frame;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
