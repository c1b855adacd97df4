import { LIMITS } from "../limits.js";
import { ProtocolError } from "../protocol-error.js";
import { type Frame, type FrameHeader, MessageStatus, MessageType } from "./frame.js";

const INITIAL_BUFFER_BYTES = 4096;
/** A buffer grows to this many times the bytes that really arrived. */
const GROWTH = 8;

export interface FrameDecoderOptions {
  /**
   * Data packets of streams are given in parts as their bytes come, each with the packet's header, instead of being
   * collected: what a stream carries is the same however it is cut. An empty packet stays one.
   */
  readonly splitStreamData?: boolean;
}

/**
 * Cuts a byte stream into packets, however it was chopped on the way. A packet that lies whole in one chunk is not
 * copied. A started one is collected in a buffer that grows as bytes really arrive: a peer that announces 32 MiB and
 * sends nothing costs a few kilobytes, and one that sends single bytes costs no quadratic copying.
 *
 * Throws `ProtocolError` ("frame") for a length that no packet has; the decoder is unusable afterwards and the
 * connection is to be closed.
 */
export class FrameDecoder {
  readonly #maxLengthBytes: number;
  readonly #splitStreamData: boolean;
  #buffer = new Uint8Array(0);
  #buffered = 0;
  /** Length of the packet that is being collected; 0 while even its length word is incomplete. */
  #wantedBytes = 0;

  /** The packet that is given in parts, and what of it has not come. */
  #split: FrameHeader | null = null;
  #splitLeftBytes = 0;

  /** `maxPacketBytes`: the longest packet taken, length word not counted (smaller for peers not yet known). */
  constructor(maxPacketBytes: number = LIMITS.packetBytes, options: FrameDecoderOptions = {}) {
    this.#maxLengthBytes = maxPacketBytes + LIMITS.lengthWordBytes;
    this.#splitStreamData = options.splitStreamData ?? false;
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
      if (this.#split !== null) {
        const end = Math.min(chunk.length, position + this.#splitLeftBytes);
        frames.push({ ...this.#split, payload: chunk.subarray(position, end) });
        this.#splitLeftBytes -= end - position;
        if (this.#splitLeftBytes === 0) this.#split = null;
        position = end;
        continue;
      }
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
        this.#forget();
      }
    }
    return frames;
  }

  #forget(): void {
    this.#buffer = new Uint8Array(0);
    this.#buffered = 0;
    this.#wantedBytes = 0;
  }

  /** Length of the packet that begins and ends within `chunk`, 0 if its end is not there. */
  #wholePacketAt(chunk: Uint8Array, position: number): number {
    if (chunk.length - position < LIMITS.lengthWordBytes) return 0;
    const length = this.#checkedLength(readUint32(chunk, position));
    return length <= chunk.length - position ? length : 0;
  }

  /**
   * Moves bytes of `chunk` into the buffer: up to the end of the length word, then of the header where data may be split
   * behind it, then of the packet.
   */
  #collect(chunk: Uint8Array, position: number): number {
    const end = Math.min(chunk.length, position + this.#target - this.#buffered);
    this.#append(chunk.subarray(position, end));
    if (this.#wantedBytes === 0 && this.#buffered === LIMITS.lengthWordBytes) {
      this.#wantedBytes = this.#checkedLength(readUint32(this.#buffer, 0));
    }
    if (this.#splitStreamData && this.#buffered === LIMITS.headerBytes) this.#beginSplit();
    return end;
  }

  get #target(): number {
    if (this.#wantedBytes === 0) return LIMITS.lengthWordBytes;
    return this.#splitStreamData && this.#buffered < LIMITS.headerBytes ? LIMITS.headerBytes : this.#wantedBytes;
  }

  #beginSplit(): void {
    const { payload: _, ...header } = parse(this.#buffer.subarray(0, this.#buffered));
    const leftBytes = this.#wantedBytes - this.#buffered;
    if (header.type !== MessageType.STREAM || header.status !== MessageStatus.CONTINUE || leftBytes === 0) return;
    this.#split = header;
    this.#splitLeftBytes = leftBytes;
    this.#forget();
  }

  #append(bytes: Uint8Array): void {
    const needed = this.#buffered + bytes.length;
    if (needed > this.#buffer.length) {
      const wanted = Math.max(GROWTH * needed, INITIAL_BUFFER_BYTES);
      const grown = new Uint8Array(this.#wantedBytes > 0 ? Math.min(wanted, this.#wantedBytes) : wanted);
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
