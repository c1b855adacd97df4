import { ErrorCode, LibvirtError } from "@cistern/protocol";

/** What the shell sees. */
export const ExitStatus = {
  OK: 0,
  /** The server, the connection or a local file said no; the reason is on stderr. */
  FAILED: 1,
  /** The command line is not understood. */
  USAGE: 2,
  /** There is no such pool, volume or secret. */
  NOT_FOUND: 3,
  /** The server, or what guards it, does not let us. */
  DENIED: 4,
  /** Somebody uses what was to be changed. */
  IN_USE: 5,
  /** Ended by Ctrl-C, as shells count it. */
  INTERRUPTED: 130,
} as const;
export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];

/** The command line asks for something that makes no sense; nothing was done. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const BY_CODE: ReadonlyMap<number, ExitStatus> = new Map<number, ExitStatus>([
  [ErrorCode.NO_STORAGE_POOL, ExitStatus.NOT_FOUND],
  [ErrorCode.NO_STORAGE_VOL, ExitStatus.NOT_FOUND],
  [ErrorCode.NO_SECRET, ExitStatus.NOT_FOUND],
  [ErrorCode.AUTH_FAILED, ExitStatus.DENIED],
  [ErrorCode.AUTH_CANCELLED, ExitStatus.DENIED],
  [ErrorCode.AUTH_UNAVAILABLE, ExitStatus.DENIED],
  [ErrorCode.OPERATION_DENIED, ExitStatus.DENIED],
  [ErrorCode.ACCESS_DENIED, ExitStatus.DENIED],
  [ErrorCode.RESOURCE_BUSY, ExitStatus.IN_USE],
]);

export function exitStatusOf(error: unknown): ExitStatus {
  if (error instanceof UsageError) return ExitStatus.USAGE;
  if (!(error instanceof LibvirtError)) return ExitStatus.FAILED;
  // libvirt has one number for all that a state forbids; its words tell the reason.
  const isInUse = error.code === ErrorCode.OPERATION_INVALID && /\bin use\b/.test(error.message);
  return isInUse ? ExitStatus.IN_USE : (BY_CODE.get(error.code) ?? ExitStatus.FAILED);
}
