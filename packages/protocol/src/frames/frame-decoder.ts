import { LIMITS } from "../limits.js";
import { ProtocolError } from "../protocol-error.js";
import type { Frame } from "./frame.js";

const INITIAL_BUFFER_BYTES = 4096;

/**
 * Cuts a byte stream into packets, however it was chopped on the way. A packet that lies whole in one chunk is not
 * copied. A started one is collected in a buffer that doubles as bytes really arrive: a peer that announces 32 MiB and
 * sends nothing costs a few kilobytes, and one that sends single bytes costs no quadratic copying.
 *
 * Throws `ProtocolError` ("frame") for a length that no packet has; the decoder is unusable afterwards and the
 * connection is to be closed.
 */
export class FrameDecoder {
  readonly #maxLengthBytes: number;
  #buffer = new Uint8Array(0);
  #buffered = 0;
  /** Length of the packet that is being collected; 0 while even its length word is incomplete. */
  #wantedBytes = 0;

  /** `maxPacketBytes`: the longest packet taken, length word not counted (smaller for peers not yet known). */
  constructor(maxPacketBytes: number = LIMITS.packetBytes) {
    this.#maxLengthBytes = maxPacketBytes + LIMITS.lengthWordBytes;
  }

  /** Bytes that wait for the rest of their packet. */
  get bufferedBytes(): number {
    return this.#buffered;
  }

  /** Takes the next bytes and returns the packets that are now complete, in order. */
  push(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    let position = 0;
    while (position < chunk.length) {
      if (this.#buffered === 0) {
        const length = this.#wholePacketAt(chunk, position);
        if (length > 0) {
          frames.push(parse(chunk.subarray(position, position + length)));
          position += length;
          continue;
        }
      }
      position = this.#collect(chunk, position);
      if (this.#wantedBytes > 0 && this.#buffered === this.#wantedBytes) {
        frames.push(parse(this.#buffer.subarray(0, this.#buffered)));
        this.#buffer = new Uint8Array(0);
        this.#buffered = 0;
        this.#wantedBytes = 0;
      }
    }
    return frames;
  }

  /** Length of the packet that begins and ends within `chunk`, 0 if its end is not there. */
  #wholePacketAt(chunk: Uint8Array, position: number): number {
    if (chunk.length - position < LIMITS.lengthWordBytes) return 0;
    const length = this.#checkedLength(readUint32(chunk, position));
    return length <= chunk.length - position ? length : 0;
  }

  /** Moves bytes of `chunk` into the buffer: up to the end of the length word, then up to the end of the packet. */
  #collect(chunk: Uint8Array, position: number): number {
    const target = this.#wantedBytes === 0 ? LIMITS.lengthWordBytes : this.#wantedBytes;
    const end = Math.min(chunk.length, position + target - this.#buffered);
    this.#append(chunk.subarray(position, end));
    if (this.#wantedBytes === 0 && this.#buffered === LIMITS.lengthWordBytes) {
      this.#wantedBytes = this.#checkedLength(readUint32(this.#buffer, 0));
    }
    return end;
  }

  #append(bytes: Uint8Array): void {
    const needed = this.#buffered + bytes.length;
    if (needed > this.#buffer.length) {
      const doubled = Math.max(needed, 2 * this.#buffer.length, INITIAL_BUFFER_BYTES);
      const grown = new Uint8Array(this.#wantedBytes > 0 ? Math.min(doubled, this.#wantedBytes) : doubled);
      grown.set(this.#buffer.subarray(0, this.#buffered));
      this.#buffer = grown;
    }
    this.#buffer.set(bytes, this.#buffered);
    this.#buffered = needed;
  }

  #checkedLength(length: number): number {
    if (length < LIMITS.headerBytes) {
      throw new ProtocolError(
        "frame",
        `A packet length of ${length} bytes is less than its header's ${LIMITS.headerBytes}`,
      );
    }
    if (length > this.#maxLengthBytes) {
      throw new ProtocolError(
        "frame",
        `A packet length of ${length} bytes is over the limit of ${this.#maxLengthBytes}`,
      );
    }
    return length;
  }
}

function parse(packet: Uint8Array): Frame {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  return {
    program: view.getUint32(4),
    version: view.getUint32(8),
    procedure: view.getInt32(12),
    type: view.getInt32(16),
    serial: view.getUint32(20),
    status: view.getInt32(24),
    payload: packet.subarray(LIMITS.headerBytes),
  };
}

function readUint32(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset + offset, 4).getUint32(0);
}
