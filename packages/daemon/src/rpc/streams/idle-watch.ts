import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";

/** Notices a client that lets its stream stand still while it is its turn: the stream holds a volume meanwhile. */
export class IdleWatch {
  readonly #timer: NodeJS.Timeout;

  /** `waits`: whether it is the client that is waited for. `gaveUp` is called once, after `idleMs` without a move. */
  constructor(idleMs: number, waits: () => boolean, gaveUp: (error: LibvirtError) => void) {
    this.#timer = setTimeout(() => {
      if (waits()) gaveUp(idleError(idleMs));
      else this.moved();
    }, idleMs);
    this.#timer.unref();
  }

  /** Bytes went one way or the other. */
  moved(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

function idleError(idleMs: number): LibvirtError {
  const text = `nothing moved on the stream for ${idleMs / 1000} seconds`;
  return LibvirtError.of(ErrorCode.OPERATION_TIMEOUT, ErrorDomain.STREAMS, text);
}
