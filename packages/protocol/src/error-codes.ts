/** What went wrong: the numbers that libvirt clients see as `VIR_ERR_*`. */
export const ErrorCode = {
  INTERNAL_ERROR: 1,
  NO_MEMORY: 2,
  NO_SUPPORT: 3,
  NO_CONNECT: 5,
  INVALID_ARG: 8,
  OPERATION_FAILED: 9,
  XML_ERROR: 27,
  OPERATION_DENIED: 29,
  XML_DETAIL: 35,
  SYSTEM_ERROR: 38,
  RPC: 39,
  NO_DOMAIN: 42,
  NO_NETWORK: 43,
  AUTH_FAILED: 45,
  INVALID_STORAGE_POOL: 46,
  INVALID_STORAGE_VOL: 47,
  NO_STORAGE_POOL: 49,
  NO_STORAGE_VOL: 50,
  NO_NODE_DEVICE: 53,
  OPERATION_INVALID: 55,
  INVALID_SECRET: 65,
  NO_SECRET: 66,
  CONFIG_UNSUPPORTED: 67,
  OPERATION_TIMEOUT: 68,
  ARGUMENT_UNSUPPORTED: 74,
  STORAGE_PROBE_FAILED: 75,
  STORAGE_POOL_BUILT: 76,
  OPERATION_ABORTED: 78,
  AUTH_CANCELLED: 79,
  OVERFLOW: 82,
  OPERATION_UNSUPPORTED: 84,
  RESOURCE_BUSY: 87,
  ACCESS_DENIED: 88,
  STORAGE_VOL_EXIST: 90,
  XML_INVALID_SCHEMA: 92,
  AUTH_UNAVAILABLE: 94,
  DEVICE_MISSING: 99,
} as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** Which part of libvirt speaks: the numbers that clients see as `VIR_FROM_*`. */
export const ErrorDomain = {
  NONE: 0,
  XML: 5,
  /** The daemon's own layer: packets, authentication, the state of a connection. */
  RPC: 7,
  QEMU: 10,
  /** The client's side of the remote driver. */
  REMOTE: 13,
  STORAGE: 18,
  NETWORK: 19,
  /** Domains, and everything about a connection that is not of one of the other families. */
  DOMAIN: 20,
  NODEDEV: 22,
  INTERFACE: 26,
  SECRET: 30,
  NWFILTER: 33,
  STREAMS: 38,
  ACCESS: 55,
  POLKIT: 60,
} as const;
export type ErrorDomain = (typeof ErrorDomain)[keyof typeof ErrorDomain];

/** How bad it is; a reply carries nothing but errors. */
export const ErrorLevel = { NONE: 0, WARNING: 1, ERROR: 2 } as const;

const PLAIN = "%s";

/** The sentence around each code's detail. A code that is not listed has none. */
const formats: ReadonlyMap<number, string> = new Map([
  [ErrorCode.INTERNAL_ERROR, "internal error: %s"],
  [ErrorCode.NO_MEMORY, "out of memory: %s"],
  [ErrorCode.NO_SUPPORT, "this function is not supported by the connection driver: %s"],
  [ErrorCode.NO_CONNECT, "no connection driver available for %s"],
  [ErrorCode.INVALID_ARG, "invalid argument: %s"],
  [ErrorCode.OPERATION_FAILED, "operation failed: %s"],
  [ErrorCode.XML_ERROR, "XML error: %s"],
  [ErrorCode.OPERATION_DENIED, "operation forbidden: %s"],
  [ErrorCode.XML_DETAIL, PLAIN],
  [ErrorCode.SYSTEM_ERROR, PLAIN],
  [ErrorCode.RPC, PLAIN],
  [ErrorCode.NO_DOMAIN, "Domain not found: %s"],
  [ErrorCode.NO_NETWORK, "Network not found: %s"],
  [ErrorCode.AUTH_FAILED, "authentication failed: %s"],
  [ErrorCode.INVALID_STORAGE_POOL, "invalid storage pool pointer in %s"],
  [ErrorCode.INVALID_STORAGE_VOL, "invalid storage volume pointer in %s"],
  [ErrorCode.NO_STORAGE_POOL, "Storage pool not found: %s"],
  [ErrorCode.NO_STORAGE_VOL, "Storage volume not found: %s"],
  [ErrorCode.NO_NODE_DEVICE, "Node device not found: %s"],
  [ErrorCode.OPERATION_INVALID, "Requested operation is not valid: %s"],
  [ErrorCode.INVALID_SECRET, "Invalid secret: %s"],
  [ErrorCode.NO_SECRET, "Secret not found: %s"],
  [ErrorCode.CONFIG_UNSUPPORTED, "unsupported configuration: %s"],
  [ErrorCode.OPERATION_TIMEOUT, "Timed out during operation: %s"],
  [ErrorCode.ARGUMENT_UNSUPPORTED, "argument unsupported: %s"],
  [ErrorCode.STORAGE_PROBE_FAILED, "Storage pool probe failed: %s"],
  [ErrorCode.STORAGE_POOL_BUILT, "Storage pool already built: %s"],
  [ErrorCode.OPERATION_ABORTED, "operation aborted: %s"],
  [ErrorCode.AUTH_CANCELLED, "authentication cancelled: %s"],
  [ErrorCode.OVERFLOW, "numerical overflow: %s"],
  [ErrorCode.OPERATION_UNSUPPORTED, "Operation not supported: %s"],
  [ErrorCode.RESOURCE_BUSY, "resource busy: %s"],
  [ErrorCode.ACCESS_DENIED, "access denied: %s"],
  [ErrorCode.STORAGE_VOL_EXIST, "storage volume %s exists already"],
  [ErrorCode.XML_INVALID_SCHEMA, "XML document failed to validate against schema: %s"],
  [ErrorCode.AUTH_UNAVAILABLE, "authentication unavailable: %s"],
  [ErrorCode.DEVICE_MISSING, "device not found: %s"],
]);

/** The format that a code's detail is put into ("Storage pool not found: %s"). */
export function messageFormat(code: number): string {
  return formats.get(code) ?? PLAIN;
}

/** The number's name ("NO_STORAGE_POOL"), for logs. */
export function errorCodeName(code: number): string {
  return codeNames.get(code) ?? `code ${code}`;
}

const codeNames: ReadonlyMap<number, string> = new Map(Object.entries(ErrorCode).map(([name, code]) => [code, name]));
