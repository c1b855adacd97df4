import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { HostError } from "../host/index.js";

/** libvirt's refusals about secrets, word for word. */
export const refusals = {
  noSuchUuid: (uuid: string) => of(ErrorCode.NO_SECRET, `no secret with matching uuid '${uuid}'`),
  noSuchUsage: (usageId: string) => of(ErrorCode.NO_SECRET, `no secret with matching usage '${usageId}'`),
  noValue: (uuid: string) => of(ErrorCode.NO_SECRET, `secret '${uuid}' does not have a value`),
  isPrivate: () => of(ErrorCode.INVALID_SECRET, "secret is private"),
  /** A secret cannot be redefined for another use. */
  otherUsage: (uuid: string, usageId: string) =>
    of(ErrorCode.INTERNAL_ERROR, `a secret with UUID ${uuid} is already defined for use with ${usageId || "(null)"}`),
  /** Another secret has this use already. */
  usageTaken: (uuid: string, usageId: string) =>
    of(ErrorCode.INTERNAL_ERROR, `a secret with UUID ${uuid} already defined for use with ${usageId}`),
  staysPrivate: () => of(ErrorCode.INTERNAL_ERROR, "cannot change private flag on existing secret"),
  emptyValue: () =>
    LibvirtError.invalidArgument(
      ErrorDomain.SECRET,
      "virSecretSetValue",
      "value",
      "value in virSecretSetValue must not be NULL",
    ),
  busy: () =>
    of(ErrorCode.OPERATION_FAILED, "the secrets' directory does not answer: an earlier change is still under way"),
  otherFileName: (file: string) => of(ErrorCode.INTERNAL_ERROR, `<uuid> does not match secret file name '${file}'`),
} as const;

/** A failed call to the operating system, with what was being done. Anything else stays as it is. */
export function systemError(error: unknown, detail: string): unknown {
  return error instanceof HostError
    ? LibvirtError.system(ErrorDomain.SECRET, error.errno, detail, { cause: error })
    : error;
}

function of(code: ErrorCode, detail: string): LibvirtError {
  return LibvirtError.of(code, ErrorDomain.SECRET, detail);
}
