import type { Readable, Writable } from "node:stream";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";

/** 78: whoever wanted it does not want it any more; `what` begins the sentence. */
export function givenUp(what: string): LibvirtError {
  return LibvirtError.of(ErrorCode.OPERATION_ABORTED, ErrorDomain.REMOTE, `${what} was given up by its caller`);
}

/** Calls `giveUp` when `signal` aborts, soon where it has. Gives what ends the watch. */
export function watchSignal(signal: AbortSignal | undefined, giveUp: () => void): () => void {
  if (signal?.aborted === true) queueMicrotask(giveUp);
  else signal?.addEventListener("abort", giveUp, { once: true });
  return () => signal?.removeEventListener("abort", giveUp);
}

/** A stream that ends in 78 when `signal` aborts before it is through; nothing is left at the signal afterwards. */
export function boundTo<Stream extends Readable | Writable>(
  stream: Stream,
  signal: AbortSignal | undefined,
  what: string,
): Stream {
  stream.once(
    "close",
    watchSignal(signal, () => stream.destroy(givenUp(what))),
  );
  return stream;
}
