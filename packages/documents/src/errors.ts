/** libvirt's numbers for what can be wrong with a document (`virErrorNumber`, `virErrorDomain`). */
export const DocumentErrorCode = {
  INTERNAL: 1,
  NO_SUPPORT: 3,
  INVALID_ARGUMENT: 8,
  XML_ERROR: 27,
  XML_DETAIL: 35,
  CONFIG_UNSUPPORTED: 67,
  OVERFLOW: 82,
  XML_INVALID_SCHEMA: 92,
} as const;
export type DocumentErrorCode = (typeof DocumentErrorCode)[keyof typeof DocumentErrorCode];

export const DocumentErrorDomain = { NONE: 0, XML: 5, STORAGE: 18, DOMAIN: 20, SECRET: 30 } as const;
export type DocumentErrorDomain = (typeof DocumentErrorDomain)[keyof typeof DocumentErrorDomain];

/**
 * A document that cannot be used. `message` is the detail without libvirt's prefix ("XML error: …"), which the
 * receiver adds from `code`; `libvirtCode` and `libvirtDomain` are what a client sees.
 */
export class DocumentError extends Error {
  override readonly name = "DocumentError";
  readonly libvirtCode: DocumentErrorCode;
  readonly libvirtDomain: DocumentErrorDomain;

  constructor(code: DocumentErrorCode, domain: DocumentErrorDomain, detail: string, options?: { cause?: unknown }) {
    super(detail, options);
    this.libvirtCode = code;
    this.libvirtDomain = domain;
  }
}
