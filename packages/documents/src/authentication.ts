import { DocumentError, DocumentErrorCode, DocumentErrorDomain } from "./errors.js";
import type { PoolAuthentication } from "./pool.js";
import { parseUuid } from "./uuid.js";
import { attribute, child, type XmlElement } from "./xml/element.js";
import type { XmlWriter } from "./xml/write.js";

/** Reads `<auth type='chap|ceph' username='…'>` with its `<secret>`. */
export function readPoolAuthentication(element: XmlElement): PoolAuthentication {
  const username = attribute(element, "username") || null;
  if (username === null) {
    throw malformed("missing username for auth");
  }
  const type = attribute(element, "type") || null;
  if (type !== null && type !== "chap" && type !== "ceph" && type !== "none") {
    throw unsupported(`unknown auth type '${type}'`);
  }
  const secretElement = child(element, "secret");
  if (secretElement === null) {
    throw malformed("Missing <secret> element in auth");
  }
  const secret = readSecretLookup(secretElement);
  if (type === null || type === "none") {
    throw unsupported("storage pool missing auth type");
  }
  const secretType = attribute(secretElement, "type");
  return { type, username, secret, ...(secretType === null ? {} : { secretType }) };
}

/** Reads which secret is meant: exactly one of `uuid` and `usage`. */
export function readSecretLookup(element: XmlElement): PoolAuthentication["secret"] {
  const uuid = element.attributes.get("uuid");
  const usage = element.attributes.get("usage");
  const fail = (detail: string) => new DocumentError(DocumentErrorCode.XML_ERROR, DocumentErrorDomain.NONE, detail);
  if (uuid === undefined && usage === undefined) {
    throw fail("missing secret uuid or usage attribute");
  }
  if (uuid !== undefined && usage !== undefined) {
    throw fail("either secret uuid or usage expected");
  }
  if (uuid === undefined) {
    return { usage: usage ?? "" };
  }
  const parsed = parseUuid(uuid);
  if (parsed === null) {
    throw fail(`invalid secret uuid '${uuid}'`);
  }
  return { uuid: parsed };
}

export function writePoolAuthentication(writer: XmlWriter, authentication: PoolAuthentication): void {
  const { type, username, secret, secretType = null } = authentication;
  writer
    .open("auth", { type, username })
    .leaf("secret", { type: secretType, ...secret })
    .close();
}

function malformed(detail: string): DocumentError {
  return new DocumentError(DocumentErrorCode.XML_ERROR, DocumentErrorDomain.STORAGE, detail);
}

function unsupported(detail: string): DocumentError {
  return new DocumentError(DocumentErrorCode.CONFIG_UNSUPPORTED, DocumentErrorDomain.STORAGE, detail);
}
