import { ErrorCode, ErrorDomain, type Frame, LibvirtError, MessageStatus, MessageType } from "@cistern/protocol";
import { limits } from "../../limits.js";
import type { Download } from "../../volumes/download.js";
import { IdleWatch } from "./idle-watch.js";
import type { ServerStream, StreamWire } from "./server-stream.js";

/**
 * Sends a volume's content. The next part is read while the last one is still on its way to the socket, and not
 * before the socket took the one before. The file is closed at its end already: some clients never say finish.
 */
export class DownloadStream implements ServerStream {
  readonly backlogBytes = 0;
  readonly keepsPackets = false;
  readonly #download: Download;
  readonly #wire: StreamWire;
  readonly #idle: IdleWatch;
  readonly #onCancel = (): void => this.#fail(this.#download.signal.reason);
  /** The client has yet to take what was sent. */
  #waitsForClient = false;
  #stopped = false;
  /** The client is told so as soon as the volume is free. */
  #ending = false;
  isSpent = false;

  constructor(download: Download, wire: StreamWire, idleMs: number = limits.streamIdleMs) {
    this.#download = download;
    this.#wire = wire;
    this.#idle = new IdleWatch(
      idleMs,
      () => this.#waitsForClient,
      (error) => this.#fail(error),
    );
    download.signal.addEventListener("abort", this.#onCancel, { once: true });
  }

  /** To be called once the reply to the opening call is sent. */
  start(): void {
    if (this.#download.signal.aborted) this.#onCancel();
    else void this.#send();
  }

  receive(frame: Frame): void {
    if (frame.type !== MessageType.STREAM) return;
    if (frame.status === MessageStatus.CONTINUE || this.#ending) return;
    this.#ending = true;
    this.#stop();
    // One that finishes early has what it wanted.
    const gaveUp = frame.status !== MessageStatus.OK;
    void this.#confirm(gaveUp ? new LibvirtError(ErrorCode.OPERATION_ABORTED, ErrorDomain.STREAMS, GAVE_UP) : null);
  }

  async abandon(): Promise<void> {
    this.#stop();
    await this.#close(new LibvirtError(ErrorCode.OPERATION_ABORTED, ErrorDomain.STREAMS, "The client is gone"));
  }

  async #send(): Promise<void> {
    try {
      let next = this.#download.next();
      for (;;) {
        const part = await next;
        if (this.#stopped) {
          await this.#close(null);
          return;
        }
        if (part === null) break;
        next = this.#download.next();
        // A failure of the read ahead is seen when its turn comes.
        next.catch(() => {});
        if (part.kind === "hole") this.#wire.hole(part.lengthBytes);
        else await this.#sendData(part.bytes);
      }
      await this.#download.close();
      if (this.#stopped) return;
      this.isSpent = true;
      this.#stop();
      this.#wire.endOfFile();
    } catch (error) {
      this.#fail(error);
    }
  }

  async #sendData(bytes: Uint8Array): Promise<void> {
    this.#waitsForClient = true;
    await this.#wire.data(bytes);
    this.#waitsForClient = false;
    this.#idle.moved();
  }

  #fail(error: unknown): void {
    if (this.#stopped) return;
    this.#ending = true;
    this.#stop();
    void this.#failWith(LibvirtError.from(error));
  }

  // The volume is free when the client hears of its end: what it does next with it is not refused.

  async #confirm(reason: Error | null): Promise<void> {
    await this.#close(reason);
    this.#wire.confirm();
    this.#wire.forget(this);
  }

  async #failWith(error: LibvirtError): Promise<void> {
    await this.#close(error);
    this.#wire.fail(error);
    this.#wire.forget(this);
  }

  #stop(): void {
    this.#stopped = true;
    this.#idle.stop();
    this.#download.signal.removeEventListener("abort", this.#onCancel);
  }

  /** A read under way keeps the file open until it is back. */
  async #close(reason: Error | null): Promise<void> {
    await this.#download.close(reason).catch(() => {});
  }
}

const GAVE_UP = "The client gave the download up";
