import type { Frame, FrameHeader } from "@cistern/protocol";
import { limits } from "../../limits.js";
import type { ServerStream } from "./server-stream.js";

interface Entry {
  readonly procedure: number;
  readonly stream: ServerStream;
}

/** The streams of one client. A packet belongs to the stream whose opening call had its serial and procedure. */
export class ClientStreams {
  readonly #bySerial = new Map<number, Entry>();

  /** Streams that hold a file or wait for one; those that are spent only wait for a word of the client. */
  get liveCount(): number {
    let count = 0;
    for (const { stream } of this.#bySerial.values()) if (!stream.isSpent) count++;
    return count;
  }

  get backlogBytes(): number {
    let bytes = 0;
    for (const { stream } of this.#bySerial.values()) bytes += stream.backlogBytes;
    return bytes;
  }

  get keepPackets(): boolean {
    for (const { stream } of this.#bySerial.values()) if (stream.keepsPackets) return true;
    return false;
  }

  /** False while another stream lives under this serial: nothing was added. A spent one gives way. */
  add({ serial, procedure }: FrameHeader, stream: ServerStream): boolean {
    const before = this.#bySerial.get(serial);
    if (before !== undefined && !before.stream.isSpent) return false;
    this.#bySerial.delete(serial);
    this.#bySerial.set(serial, { procedure, stream });
    this.#forgetOldest();
    return true;
  }

  /** undefined: no such stream, or one that has ended. */
  of({ serial, procedure }: Frame): ServerStream | undefined {
    const entry = this.#bySerial.get(serial);
    return entry?.procedure === procedure ? entry.stream : undefined;
  }

  remove(serial: number, stream: ServerStream): void {
    if (this.#bySerial.get(serial)?.stream === stream) this.#bySerial.delete(serial);
  }

  /** Takes all of them out. */
  clear(): ServerStream[] {
    const streams = [...this.#bySerial.values()].map(({ stream }) => stream);
    this.#bySerial.clear();
    return streams;
  }

  /** Some clients never say that they are done with a download: what waits for that word is kept for a while only. */
  #forgetOldest(): void {
    let spent = this.#bySerial.size - this.liveCount;
    for (const [serial, { stream }] of this.#bySerial) {
      if (spent <= limits.streamsPerClient) return;
      if (!stream.isSpent) continue;
      this.#bySerial.delete(serial);
      spent--;
    }
  }
}
