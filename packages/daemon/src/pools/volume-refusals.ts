import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";

const invalid = (detail: string): LibvirtError =>
  LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, detail);

export const volumeInUse = (name: string): LibvirtError => invalid(`volume '${name}' is still in use.`);
export const volumeBuilding = (name: string): LibvirtError => invalid(`volume '${name}' is still being allocated.`);
