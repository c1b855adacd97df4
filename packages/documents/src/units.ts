import { DocumentError, DocumentErrorCode, DocumentErrorDomain } from "./errors.js";

/** A file offset is signed, so no file is larger; libvirt takes no larger size either. */
const LARGEST_SIZE_BYTES = 2n ** 63n - 1n;
const LARGEST_UNSIGNED = 2n ** 64n - 1n;

const PREFIXES = "kmgtpe";

/**
 * Reads a size such as `<capacity unit='GiB'>10</capacity>`, in bytes.
 *
 * @param text digits in base 10 with leading white space or `+`, nothing after them; null (absent) is malformed
 * @param unit absent, `b`, `byte`, `bytes`: 1; `K` and `KiB` … `E` and `EiB`: powers of 1024; `KB` … `EB`: powers of 1000
 * @param what the element's name for the message
 * @throws DocumentError 27/18 `malformed capacity element`, 8/0 `unknown suffix 'zz'`, 82/0 `value too large: 9E`
 */
export function parseSize(text: string | null, unit: string | null, what: string): bigint {
  const value = parseUnsigned(text);
  if (value === null) {
    throw new DocumentError(DocumentErrorCode.XML_ERROR, DocumentErrorDomain.STORAGE, `malformed ${what} element`);
  }
  return scaleSize(value, unit);
}

/**
 * Multiplies a number by its unit.
 *
 * @throws DocumentError 8/0 `unknown suffix 'zz'`, 82/0 `value too large: 9E`
 */
export function scaleSize(value: bigint, unit: string | null): bigint {
  const scale = unitBytes(unit ?? "");
  if (scale === null) {
    throw new DocumentError(DocumentErrorCode.INVALID_ARGUMENT, DocumentErrorDomain.NONE, `unknown suffix '${unit}'`);
  }
  if (value > LARGEST_SIZE_BYTES / scale) {
    const detail = `value too large: ${value}${unit ?? ""}`;
    throw new DocumentError(DocumentErrorCode.OVERFLOW, DocumentErrorDomain.NONE, detail);
  }
  return value * scale;
}

/** An unsigned number as C's strtoull reads it, with nothing behind it and no minus; null where it is not one. */
export function parseUnsigned(text: string | null): bigint | null {
  const digits = /^[ \t\n\v\f\r]*\+?([0-9]+)$/.exec(text ?? "")?.[1]?.replace(/^0+(?=.)/, "");
  if (digits === undefined || digits.length > 20) {
    return null;
  }
  const value = BigInt(digits);
  return value > LARGEST_UNSIGNED ? null : value;
}

function unitBytes(unit: string): bigint | null {
  const lower = unit.toLowerCase();
  if (["", "b", "byte", "bytes"].includes(lower)) {
    return 1n;
  }
  const power = PREFIXES.indexOf(lower.charAt(0)) + 1;
  const base = { "": 1024n, ib: 1024n, b: 1000n }[lower.slice(1)];
  return power === 0 || base === undefined ? null : base ** BigInt(power);
}
