import { describe, expect, it } from "vitest";
import {
  cistern,
  cisternEvents,
  decodeArguments,
  decodeReply,
  decodeXdr,
  encodeCall,
  encodeEvent,
  encodeFrame,
  encodeReply,
  encodeXdr,
  type Frame,
  FrameDecoder,
  LIMITS,
  LibvirtError,
  MessageType,
  PROGRAM,
  ProtocolError,
  resolveCall,
  sendableText,
  storage,
  type WireJob,
  wireJob,
} from "../dist/index.js";

const job: WireJob = {
  id: 7n,
  kind: 1,
  state: 1,
  pool: "images",
  volume: "b.qcow2",
  source: "images/a.qcow2",
  title: "clone volume 'b.qcow2' of pool 'images' from 'images/a.qcow2'",
  requester: { door: 0, userId: 0, processId: 4711, client: 3n },
  created: 1_800_000_000_000_000n,
  started: 1_800_000_000_500_000n,
  ended: 0n,
  doneBytes: 10n,
  totalBytes: 100n,
  bytesPerSecond: 5n,
  remainingSeconds: 18n,
  bandwidthBytesPerSecond: 0n,
  way: "reflink",
  remarks: ["Old blocks may survive."],
  error: { code: 1, domain: 18, message: "internal error" },
};

describe("Cistern's own program", () => {
  it("a call, its reply and an event arrive under its number", () => {
    const call = single(encodeCall(cistern.jobGet, 5, { id: 7n }));
    expect(call).toMatchObject({ program: 0x43697374, version: 1, procedure: 2, type: MessageType.CALL, serial: 5 });
    expect(resolveCall(call)).toBe(cistern.jobGet);
    expect(decodeArguments(cistern.jobGet, call)).toEqual({ id: 7n });

    const reply = single(encodeReply(call, cistern.jobGet, { job }));
    expect(reply).toMatchObject({ program: PROGRAM.CISTERN, type: MessageType.REPLY, serial: 5 });
    expect(decodeReply(cistern.jobGet, reply)).toEqual({ job });

    const event = single(encodeEvent(cisternEvents.jobEvent, { watchID: 3, job }));
    expect(event).toMatchObject({ program: PROGRAM.CISTERN, procedure: 9, type: MessageType.MESSAGE, serial: 0 });
    expect(decodeXdr(cisternEvents.jobEvent.payload, event.payload).value).toEqual({ watchID: 3, job });
  });

  it("the same number is another procedure in each program", () => {
    const call = single(encodeCall(cistern.jobList, 1, { flags: 0 }));
    expect(resolveCall(call).name).toBe("JOB_LIST");
    expect(resolveCall({ ...call, program: PROGRAM.REMOTE }).name).toBe("CONNECT_OPEN");
    expect(
      single(encodeCall(storage.storageVolWipe, 1, { vol: { pool: "", name: "", key: "" }, flags: 0 })).program,
    ).toBe(PROGRAM.REMOTE);
  });

  it("a list of jobs is at most as long as any list, and each text as long as a job's texts are", () => {
    const tooMany = Array.from({ length: LIMITS.listItems + 1 }, () => job);
    expect(() => encodeXdr(cistern.jobList.result, { jobs: tooMany })).toThrow(ProtocolError);
    expect(() => encodeXdr(wireJob, { ...job, title: "x".repeat(LIMITS.jobTextBytes + 1) })).toThrow(ProtocolError);
    expect(() => encodeXdr(wireJob, { ...job, remarks: Array(LIMITS.jobRemarks + 1).fill("x") })).toThrow(
      ProtocolError,
    );
  });
});

describe("calls that nobody here understands are refused as libvirt refuses them", () => {
  const call = single(encodeCall(cistern.jobList, 1, { flags: 0 }));

  it.each([
    ["Cistern's program in another version", { version: 2 }, "Cannot find program 1130984308 version 2"],
    ["a version that is no positive number", { version: 0xffffffff }, "Cannot find program 1130984308 version -1"],
    ["a program of one bit more", { program: 0x43697375 }, "Cannot find program 1130984309 version 1"],
    ["a program whose number is negative", { program: 0xc3697374 }, "Cannot find program -1016499340 version 1"],
    ["the keepalive program", { program: PROGRAM.KEEPALIVE }, "Cannot find program 1801807216 version 1"],
    ["a status that is not OK", { status: 1 }, "Unexpected message status 1"],
    ["a procedure that Cistern's program lacks", { procedure: 4711 }, "unknown procedure: 4711"],
    ["the number of its event", { procedure: 9 }, "unknown procedure: 9"],
    ["a number that only libvirt's program has", { procedure: 93 }, "unknown procedure: 93"],
  ])("%s", (_what, changes, message) => {
    // Through bytes: the signs are the header's.
    const frame = single(encodeFrame({ ...call, ...changes }));
    let refusal: unknown;
    try {
      resolveCall(frame);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(LibvirtError);
    expect(refusal).toMatchObject({ code: 39, domain: 7, message });
  });
});

it.each([
  ["short", 1024, "short"],
  ["a\0b", 1024, "a"],
  ["x".repeat(20), 10, "x".repeat(10)],
  ["ééé", 5, "éé\udcc3"],
])("of the text %j at most %i bytes are sent", (text, maxBytes, sent) => {
  expect(sendableText(text, maxBytes)).toBe(sent);
});

function single(packet: Uint8Array): Frame {
  const [frame, ...more] = new FrameDecoder().push(packet);
  if (frame === undefined || more.length > 0) throw new Error("Not exactly one packet");
  return frame;
}
