/** What was being done when the wire's rules were broken. */
export type ProtocolErrorKind = "frame" | "decode" | "encode";

/**
 * Bytes that are not what the protocol says, or a value the protocol cannot carry. It is the only error that codecs
 * and framing throw. `kind` tells what the receiver does: after "frame" nothing on the connection can be trusted and it
 * is closed; after "decode" the call is answered with libvirt's 39/7 and the connection lives on; "encode" is a
 * value of our own that is too large or out of range.
 */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly kind: ProtocolErrorKind;

  constructor(kind: ProtocolErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}
