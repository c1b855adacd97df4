import { ErrorCode, ErrorDomain, ErrorLevel, messageFormat } from "./error-codes.js";
import { LIMITS } from "./limits.js";
import type { RemoteError } from "./procedures/shared.js";
import { ProtocolError } from "./protocol-error.js";
import { strerror } from "./strerror.js";
import { sendableText } from "./xdr/utf8.js";

/** The parts of libvirt's error that only bindings look at. */
export interface ErrorDetails {
  readonly str1?: string | null;
  readonly str2?: string | null;
  readonly str3?: string | null;
  readonly int1?: number;
  readonly int2?: number;
  readonly level?: number;
  readonly cause?: unknown;
}

/**
 * The one error of libvirt's API, on both sides of the wire. `message` is complete, as clients print it. It is made
 * by one of four functions, which give it the shape that libvirt gives it:
 *
 * | made by           | message             | str1            | str2          | int1, int2 |
 * |-------------------|---------------------|-----------------|---------------|------------|
 * | `of`              | format with detail  | the format      | detail        | -1, -1     |
 * | `system`          | detail: strerror    | "%s"            | message       | errno, -1  |
 * | `invalidArgument` | text, no prefix     | function name   | argument name | 0, 0       |
 * | `from`            | any of the above, whatever was thrown                                |
 */
export class LibvirtError extends Error {
  override readonly name = "LibvirtError";
  /** An `ErrorCode`, or a number that only a newer peer knows. */
  readonly code: number;
  /** An `ErrorDomain`, or a number that only a newer peer knows. */
  readonly domain: number;
  readonly level: number;
  readonly str1: string | null;
  readonly str2: string | null;
  readonly str3: string | null;
  readonly int1: number;
  readonly int2: number;

  constructor(code: number, domain: number, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.domain = domain;
    this.level = details.level ?? ErrorLevel.ERROR;
    this.str1 = details.str1 ?? null;
    this.str2 = details.str2 ?? null;
    this.str3 = details.str3 ?? null;
    this.int1 = details.int1 ?? -1;
    this.int2 = details.int2 ?? -1;
  }

  /** An ordinary error: `detail` in the code's sentence ("Storage pool not found: …"). */
  static of(code: ErrorCode, domain: ErrorDomain, detail: string, options: { cause?: unknown } = {}): LibvirtError {
    const format = messageFormat(code);
    // A function as replacement: "$&" in a volume's name is no pattern.
    const message = format.replace("%s", () => detail);
    return new LibvirtError(code, domain, message, { str1: format, str2: detail, cause: options.cause });
  }

  /** A failed system call: "detail: No such file or directory", code 38. `errno` is positive. */
  static system(domain: ErrorDomain, errno: number, detail: string, options: { cause?: unknown } = {}): LibvirtError {
    const message = `${detail}: ${strerror(errno)}`;
    const details = { str1: "%s", str2: message, int1: errno, cause: options.cause };
    return new LibvirtError(ErrorCode.SYSTEM_ERROR, domain, message, details);
  }

  /** An argument that a function refuses, code 8 without its usual prefix. */
  static invalidArgument(domain: ErrorDomain, functionName: string, argumentName: string, text: string): LibvirtError {
    const details = { str1: functionName, str2: argumentName, int1: 0, int2: 0 };
    return new LibvirtError(ErrorCode.INVALID_ARG, domain, text, details);
  }

  /**
   * Flags that a function does not know: `unsupported flags (0x<bad bits>) in function <name>`.
   * Throws where `flags` has a bit outside `supported`; does nothing otherwise.
   */
  static checkFlags(domain: ErrorDomain, functionName: string, flags: number, supported: number): void {
    const unknown = (flags & ~supported) >>> 0;
    if (unknown === 0) return;
    const text = `unsupported flags (0x${unknown.toString(16)}) in function ${functionName}`;
    throw LibvirtError.invalidArgument(domain, functionName, "flags", text);
  }

  /** What a driver that lacks an operation answers: "… not supported by the connection driver: virX". */
  static unsupported(domain: ErrorDomain, api: string): LibvirtError {
    return LibvirtError.of(ErrorCode.NO_SUPPORT, domain, api);
  }

  /**
   * Turns whatever was thrown into a LibvirtError. It recognises errors of documents by their fields (this package
   * knows nothing of documents); anything unknown is an internal error of the RPC layer, with its cause kept.
   */
  static from(thrown: unknown): LibvirtError {
    if (thrown instanceof LibvirtError) return thrown;
    if (thrown instanceof ProtocolError) {
      const detail = `Unable to ${thrown.kind === "encode" ? "encode" : "decode"} message payload`;
      return LibvirtError.of(ErrorCode.RPC, ErrorDomain.RPC, detail, { cause: thrown });
    }
    if (isDocumentError(thrown)) {
      return LibvirtError.of(thrown.libvirtCode, thrown.libvirtDomain, thrown.message, { cause: thrown });
    }
    const detail = thrown instanceof Error ? thrown.message : String(thrown);
    return LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.RPC, detail, { cause: thrown });
  }

  /** The error that a reply carried. */
  static fromWire(wire: RemoteError): LibvirtError {
    const message = wire.message ?? "Unknown error";
    // A daemon that does not know a procedure says so in its own layer; to the caller it is the API that is missing.
    const missing =
      wire.code === ErrorCode.RPC &&
      (wire.domain === ErrorDomain.RPC || wire.domain === ErrorDomain.REMOTE) &&
      message.startsWith("unknown procedure");
    return new LibvirtError(missing ? ErrorCode.NO_SUPPORT : wire.code, wire.domain, message, wire);
  }

  /** What a reply carries. It can always be encoded: texts end at a NUL, and at the longest that fits. */
  toWire(): RemoteError {
    return {
      code: this.code,
      domain: this.domain,
      message: sendable(this.message),
      level: this.level,
      dom: null,
      str1: this.str1 === null ? null : sendable(this.str1),
      str2: this.str2 === null ? null : sendable(this.str2),
      str3: this.str3 === null ? null : sendable(this.str3),
      int1: this.int1,
      int2: this.int2,
      net: null,
    };
  }
}

interface DocumentErrorShape {
  readonly libvirtCode: ErrorCode;
  readonly libvirtDomain: ErrorDomain;
  readonly message: string;
}

function isDocumentError(thrown: unknown): thrown is DocumentErrorShape {
  if (!(thrown instanceof Error)) return false;
  const { libvirtCode, libvirtDomain } = thrown as Partial<DocumentErrorShape>;
  return typeof libvirtCode === "number" && typeof libvirtDomain === "number";
}

function sendable(text: string): string {
  return sendableText(text, LIMITS.errorTextBytes);
}
