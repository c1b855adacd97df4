import type { Frame, LibvirtError } from "@cistern/protocol";

/** How a stream speaks to its client. Every packet carries the serial of the call that opened the stream. */
export interface StreamWire {
  /** In packets of the size that every client takes. Resolves when they left: `bytes` may be used again. */
  data(bytes: Uint8Array): Promise<void>;
  hole(lengthBytes: bigint): void;
  /** The empty data packet behind the last one. */
  endOfFile(): void;
  /** The answer to the client's finish or abort. */
  confirm(): void;
  fail(error: LibvirtError): void;
  /** The stream takes no more packets; later ones of its serial are dropped. */
  forget(stream: ServerStream): void;
  /** A client that breaks the protocol is disconnected. */
  disconnect(reason: string): void;
}

export interface ServerStream {
  /** Takes a packet of the client. */
  receive(frame: Frame): void;
  /** What waits to be worked off: its bytes, and a little for each packet. */
  readonly backlogBytes: number;
  /** It holds on to packets that it received, whose memory may not be used again yet. */
  readonly keepsPackets: boolean;
  /** It holds nothing any more and only answers the client's last word. */
  readonly isSpent: boolean;
  /** The client is gone, or the daemon stops. */
  abandon(): Promise<void>;
}
