import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import { HostError } from "../../host/host.js";

/**
 * A failed host call as libvirt's error: 38 with what was being done and strerror; 78 where the work was called off.
 * `detail` says what was being done, in libvirt's words: "cannot open directory '/images'".
 */
export function failure(thrown: unknown, detail: string, domain: ErrorDomain = ErrorDomain.STORAGE): LibvirtError {
  if (!(thrown instanceof HostError)) return LibvirtError.from(thrown);
  if (thrown.code === "ECANCELED")
    return LibvirtError.of(ErrorCode.OPERATION_ABORTED, domain, detail, { cause: thrown });
  return LibvirtError.system(domain, thrown.errno, detail, { cause: thrown });
}

/** 78 once the work is not wanted any more, in the words of whoever stopped it. */
export function throwIfCalledOff(signal: CancelSignal, detail: string): void {
  if (!signal.aborted) return;
  const { reason } = signal;
  if (reason instanceof LibvirtError) throw reason;
  throw LibvirtError.of(ErrorCode.OPERATION_ABORTED, ErrorDomain.STORAGE, detail, { cause: reason });
}

/** Awaits a host call whose failure reads `detail`. */
export async function failingAs<T>(
  detail: string,
  call: Promise<T>,
  domain: ErrorDomain = ErrorDomain.STORAGE,
): Promise<T> {
  try {
    return await call;
  } catch (thrown) {
    throw failure(thrown, detail, domain);
  }
}

export function isErrno(thrown: unknown, ...codes: readonly string[]): boolean {
  return thrown instanceof HostError && codes.includes(thrown.code);
}

/**
 * Nobody has answered the call: what it was to do may have been done, or may be done yet. (ESTALE and EIO: the process that
 * made it has ended, because of another call or by itself.)
 */
export function isUnanswered(thrown: unknown): boolean {
  return isErrno(thrown, "ETIMEDOUT", "ECANCELED", "ESTALE", "EIO");
}
