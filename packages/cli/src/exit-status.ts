import { ErrorCode } from "@cistern/protocol";
import { factsOf } from "./failure.js";

/** What the shell sees. */
export const ExitStatus = {
  OK: 0,
  /** The server, the connection or a local file said no; the reason is on stderr. Nothing there: what should not be was found. */
  FAILED: 1,
  /** The command line is not understood. */
  USAGE: 2,
  /** There is no such pool, volume, secret, guest or job. */
  NOT_FOUND: 3,
  /** The server, or what guards it, does not let us. */
  DENIED: 4,
  /** Somebody uses what was to be changed. */
  IN_USE: 5,
  /** Stopped by Ctrl-C, as shells count it. */
  CANCELLED: 130,
} as const;
export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];

/** The command line asks for something that makes no sense; nothing was done. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The user wanted to stop, by other means than a signal. */
export class Cancelled extends Error {
  override readonly name = "Cancelled";
}

const BY_CODE: ReadonlyMap<number, ExitStatus> = new Map<number, ExitStatus>([
  [ErrorCode.NO_STORAGE_POOL, ExitStatus.NOT_FOUND],
  [ErrorCode.NO_STORAGE_VOL, ExitStatus.NOT_FOUND],
  [ErrorCode.NO_SECRET, ExitStatus.NOT_FOUND],
  [ErrorCode.NO_DOMAIN, ExitStatus.NOT_FOUND],
  [ErrorCode.DEVICE_MISSING, ExitStatus.NOT_FOUND],
  [ErrorCode.AUTH_FAILED, ExitStatus.DENIED],
  [ErrorCode.AUTH_CANCELLED, ExitStatus.DENIED],
  [ErrorCode.AUTH_UNAVAILABLE, ExitStatus.DENIED],
  [ErrorCode.OPERATION_DENIED, ExitStatus.DENIED],
  [ErrorCode.ACCESS_DENIED, ExitStatus.DENIED],
  [ErrorCode.RESOURCE_BUSY, ExitStatus.IN_USE],
]);

/** libvirt has one number for all that a state forbids; its words tell the reason. "in use" alone may be a pool's name. */
const IS_IN_USE = / (?:is|are) (?:still )?in use\b/;
/** For a pool whose volumes are being worked on it has an internal error. */
const HAS_JOBS = /\bpool '.*' has asynchronous jobs running\.$/s;
/** It has no number for a job. */
const IS_NO_JOB = /\bno job with id \d+$/;

export function exitStatusOf(error: unknown): ExitStatus {
  const { cause, libvirt } = factsOf(error);
  if (cause instanceof UsageError) return ExitStatus.USAGE;
  if (cause instanceof Cancelled) return ExitStatus.CANCELLED;
  if (libvirt === null) return ExitStatus.FAILED;
  if (libvirt.code === ErrorCode.INVALID_ARG && IS_NO_JOB.test(libvirt.message)) return ExitStatus.NOT_FOUND;
  if (libvirt.code === ErrorCode.INTERNAL_ERROR && HAS_JOBS.test(libvirt.message)) return ExitStatus.IN_USE;
  const isInUse = libvirt.code === ErrorCode.OPERATION_INVALID && IS_IN_USE.test(libvirt.message);
  return isInUse ? ExitStatus.IN_USE : (BY_CODE.get(libvirt.code) ?? ExitStatus.FAILED);
}
