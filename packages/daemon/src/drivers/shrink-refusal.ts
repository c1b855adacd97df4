import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";

/** libvirt's answer to a smaller capacity without the flag SHRINK: 8/18. */
export function shrinkRefusal(): LibvirtError {
  const text = "Can't shrink capacity below current capacity unless shrink flag explicitly specified";
  return LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, text);
}
