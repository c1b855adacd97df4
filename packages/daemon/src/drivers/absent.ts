import { POOL_TYPES, type PoolType } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";

/**
 * A pool type whose driver has not landed. Its pools are defined, listed, shown, undefined and marked for autostart
 * as all others; whatever would touch storage gives libvirt's error for a backend that was not built.
 */
export interface AbsentDriver {
  readonly type: PoolType;
  readonly absent: true;
}

export function absentDriver(type: PoolType): AbsentDriver {
  return { type, absent: true };
}

export function missingBackend(type: PoolType): LibvirtError {
  const text = `missing backend for pool type ${POOL_TYPES.indexOf(type)} (${type})`;
  return LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, text);
}
