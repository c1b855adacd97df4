import { type Frame, LibvirtError, MessageStatus, MessageType } from "@cistern/protocol";
import { limits } from "../../limits.js";
import type { Download } from "../../volumes/download.js";
import type { ServerStream, StreamWire } from "./server-stream.js";

/**
 * Sends a volume's content. The next part is read while the last one is still on its way to the socket, and not
 * before the socket took the one before. The file is closed at its end already: some clients never say finish.
 */
export class DownloadStream implements ServerStream {
  readonly backlogBytes = 0;
  readonly #download: Download;
  readonly #wire: StreamWire;
  #stopped = false;
  isSpent = false;

  constructor(download: Download, wire: StreamWire) {
    this.#download = download;
    this.#wire = wire;
  }

  /** To be called once the reply to the opening call is sent. */
  start(): void {
    void this.#send();
  }

  receive(frame: Frame): void {
    if (frame.type !== MessageType.STREAM) return;
    if (frame.status === MessageStatus.CONTINUE) return;
    this.#stopped = true;
    this.#wire.confirm();
    this.#wire.forget(this);
  }

  async abandon(): Promise<void> {
    this.#stopped = true;
  }

  async #send(): Promise<void> {
    try {
      let next = this.#download.next();
      for (;;) {
        const part = await next;
        if (this.#stopped || part === null) break;
        next = this.#download.next();
        // A failure of the read ahead is seen when its turn comes.
        next.catch(() => {});
        if (part.kind === "hole") this.#wire.hole(part.lengthBytes);
        else await this.#sendData(part.bytes);
      }
      await next.catch(() => {});
      await this.#download.close();
      if (this.#stopped) return;
      this.isSpent = true;
      this.#wire.endOfFile();
    } catch (error) {
      await this.#download.close().catch(() => {});
      if (this.#stopped) return;
      this.#wire.fail(LibvirtError.from(error));
      this.#wire.forget(this);
    }
  }

  async #sendData(bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.length && !this.#stopped; start += limits.streamPacketBytes) {
      await this.#wire.data(bytes.subarray(start, start + limits.streamPacketBytes));
    }
  }
}
