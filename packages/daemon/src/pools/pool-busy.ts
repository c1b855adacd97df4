import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";

/** libvirt's code for a lock that does not come free; its storage driver would wait for ever. */
export function poolBusy(name: string): LibvirtError {
  return LibvirtError.of(
    ErrorCode.OPERATION_TIMEOUT,
    ErrorDomain.STORAGE,
    `storage pool '${name}' is busy with another operation`,
  );
}
