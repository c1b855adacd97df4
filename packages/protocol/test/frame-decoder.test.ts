import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeFrame,
  encodeHeader,
  type Frame,
  FrameDecoder,
  LIMITS,
  MessageStatus,
  MessageType,
  ProtocolError,
} from "../dist/index.js";

const anyFrame: fc.Arbitrary<Frame> = fc.record(
  {
    program: fc.integer({ min: 0, max: 0xffffffff }),
    version: fc.integer({ min: 0, max: 0xffffffff }),
    procedure: fc.integer({ min: -0x80000000, max: 0x7fffffff }),
    type: fc.integer({ min: -0x80000000, max: 0x7fffffff }),
    serial: fc.integer({ min: 0, max: 0xffffffff }),
    status: fc.integer({ min: -0x80000000, max: 0x7fffffff }),
    payload: fc.uint8Array({ maxLength: 300 }),
  },
  { noNullPrototype: true },
);

describe("a stream of packets", () => {
  it("is cut into the same packets however it was chopped", () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }),
        (sent, sizes) => {
          const stream = Buffer.concat(sent.map(encodeFrame));
          const decoder = new FrameDecoder();
          const received: Frame[] = [];
          for (let offset = 0, index = 0; offset < stream.length; index++) {
            const size = sizes[index % sizes.length] ?? 1;
            received.push(...decoder.push(stream.subarray(offset, offset + size)));
            offset += size;
          }
          expect(received.map(comparable)).toEqual(sent.map(comparable));
          expect(decoder.bufferedBytes).toBe(0);
        },
      ),
    );
  });

  it("gives what streams carry as it comes, where that is wanted, and every other packet whole", () => {
    const { STREAM } = MessageType;
    const { CONTINUE } = MessageStatus;
    const streamFrame = anyFrame.map((frame) => ({ ...frame, type: STREAM, status: CONTINUE }));
    fc.assert(
      fc.property(
        fc.array(fc.oneof(anyFrame, streamFrame), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }),
        (sent, sizes) => {
          const stream = Buffer.concat(sent.map(encodeFrame));
          const decoder = new FrameDecoder(undefined, { splitStreamData: true });
          const received: Frame[] = [];
          for (let offset = 0, index = 0; offset < stream.length; index++) {
            const size = sizes[index % sizes.length] ?? 1;
            received.push(...decoder.push(stream.subarray(offset, offset + size)));
            offset += size;
          }
          // What one packet of a stream carried, put together again, is that packet.
          const whole: Frame[] = [];
          for (const frame of sent) {
            const payloads = [received.shift()?.payload ?? new Uint8Array()];
            const got = (): number => payloads.reduce((sum, { length }) => sum + length, 0);
            while (frame.type === STREAM && frame.status === CONTINUE && got() < frame.payload.length) {
              const part = received.shift();
              if (part === undefined) break;
              expect({ ...part, payload: null }).toEqual({ ...frame, payload: null });
              payloads.push(part.payload);
            }
            whole.push({ ...frame, payload: Buffer.concat(payloads) });
          }
          expect(received).toEqual([]);
          expect(whole.map(comparable)).toEqual(sent.map(comparable));
          expect(decoder.bufferedBytes).toBe(0);
        },
      ),
    );
  });

  it("waits for the rest of a packet and says how much it holds", () => {
    const decoder = new FrameDecoder();
    const packet = encodeFrame({ ...header, payload: new Uint8Array(100) });
    expect(decoder.push(packet.subarray(0, 60))).toEqual([]);
    expect(decoder.bufferedBytes).toBe(60);
    expect(decoder.push(packet.subarray(60)).length).toBe(1);
    expect(decoder.bufferedBytes).toBe(0);
  });

  it("ends in a ProtocolError or in packets when it is random bytes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 })), (chunks) => {
        const decoder = new FrameDecoder(1000);
        try {
          for (const chunk of chunks) decoder.push(chunk);
          expect(decoder.bufferedBytes).toBeLessThanOrEqual(1004);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });
});

describe("lengths", () => {
  it.each([0, 3, 4, 27])("%i bytes are less than a header", (length) => {
    expect(frameErrorOf(word(length))).toBe("frame");
    expect(frameErrorOf(word(length), 1)).toBe("frame");
  });

  it.each([LIMITS.packetBytes + 5, 0x7fffffff, 0xffffffff])("%i bytes are over the limit", (length) => {
    expect(frameErrorOf(word(length))).toBe("frame");
    expect(frameErrorOf(word(length), 1)).toBe("frame");
  });

  it("the longest packet is taken", () => {
    const decoder = new FrameDecoder();
    const payload = Buffer.alloc(LIMITS.bodyBytes, 7);
    const [frame] = decoder.push(Buffer.concat([encodeHeader(header, payload.length), payload]));
    expect(frame?.payload.length).toBe(LIMITS.bodyBytes);
    expect(() => encodeHeader(header, LIMITS.bodyBytes + 1)).toThrow(ProtocolError);
  });

  it("a smaller limit can be set for peers that are not known yet", () => {
    expect(new FrameDecoder(24).push(encodeHeader(header, 0)).length).toBe(1);
    expect(() => new FrameDecoder(24).push(encodeFrame({ ...header, payload: new Uint8Array(4) }))).toThrow(
      ProtocolError,
    );
  });
});

describe("what a peer can make the decoder cost", () => {
  it("announcing 32 MiB and sending nothing allocates next to nothing", () => {
    const before = process.memoryUsage().arrayBuffers;
    const decoders = Array.from({ length: 100 }, () => {
      const decoder = new FrameDecoder();
      decoder.push(word(LIMITS.packetBytes + 4));
      decoder.push(Uint8Array.of(1));
      return decoder;
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024);
    expect(decoders.every((decoder) => decoder.bufferedBytes === 5)).toBe(true);
  });

  it("a megabyte in single bytes takes linear time", () => {
    const packet = encodeFrame({ ...header, payload: new Uint8Array(1024 * 1024) });
    const decoder = new FrameDecoder();
    const start = performance.now();
    let frames = 0;
    for (let index = 0; index < packet.length; index++)
      frames += decoder.push(packet.subarray(index, index + 1)).length;
    expect(frames).toBe(1);
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

const header = { program: 1, version: 1, procedure: 1, type: 0, serial: 0, status: 0 };

function word(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** The kind of the error that `bytes` cause, sent in chunks of `chunkBytes`. */
function frameErrorOf(bytes: Uint8Array, chunkBytes = bytes.length): string {
  const decoder = new FrameDecoder();
  try {
    for (let offset = 0; offset < bytes.length; offset += chunkBytes)
      decoder.push(bytes.subarray(offset, offset + chunkBytes));
  } catch (error) {
    return error instanceof ProtocolError ? error.kind : `another error: ${String(error)}`;
  }
  return "no error";
}

function comparable(frame: Frame): unknown {
  return { ...frame, payload: Buffer.from(frame.payload).toString("hex") };
}
