import { DocumentError, DocumentErrorCode, DocumentErrorDomain } from "../errors.js";
import { findInternalSubset } from "./doctype.js";
import type { XmlElement } from "./element.js";
import { type ParseResult, parseBytes } from "./libxml2.js";
import { MAX_DOCUMENT_BYTES, MAX_DOCUMENT_NODES } from "./limits.js";
import { formatSyntaxError } from "./syntax-error.js";
import { encodeUtf8 } from "./text.js";

export type DocumentKind =
  | "storage_pool_definition"
  | "storage_volume_definition"
  | "storage_source_specification"
  | "definition_of_secret"
  | "device_definition"
  | "domain_definition"
  | "pool state";

export interface ParseOptions {
  /** What the text is called in messages. */
  readonly kind: DocumentKind;
  /** Of the error for a document that is not well-formed. */
  readonly domain: DocumentErrorDomain;
  /** The root element's name, or several; messages say the first. */
  readonly root: string | readonly [string, ...string[]];
}

/**
 * Parses a document into a plain tree. A NUL ends it, as it ends the string it is to libvirt.
 *
 * @throws DocumentError 35/domain with libxml2's message, the line and a caret, also for a document that is too large or
 *   declares entities; 27/5 for another root element
 */
export function parseDocument(xml: string, options: ParseOptions): XmlElement {
  const end = xml.indexOf("\0");
  const root = parseWellFormed(end === -1 ? xml : xml.slice(0, end), options);
  const roots = typeof options.root === "string" ? ([options.root] as const) : options.root;
  if (!roots.includes(root.name)) {
    throw new DocumentError(
      DocumentErrorCode.XML_ERROR,
      DocumentErrorDomain.XML,
      `expecting root element of '${roots[0]}', not '${root.name}'`,
    );
  }
  return root;
}

function parseWellFormed(xml: string, { kind, domain }: ParseOptions): XmlElement {
  const fail = (message: string) => new DocumentError(DocumentErrorCode.XML_DETAIL, domain, `(${kind}):${message}`);
  const bytes = encodeUtf8(xml);
  if (bytes.length > MAX_DOCUMENT_BYTES) {
    throw fail(`1: Document is larger than ${MAX_DOCUMENT_BYTES} bytes`);
  }
  if (hasMoreNodesThan(MAX_DOCUMENT_NODES, xml)) {
    throw fail(`1: Document has more than ${MAX_DOCUMENT_NODES} tags and attributes`);
  }
  const subset = findInternalSubset(xml);
  if (subset !== null) {
    const line = xml.slice(0, subset).split("\n").length;
    throw fail(`${line}: Document type declaration with an internal subset is not accepted`);
  }
  const result = parseAsUtf8(xml, bytes);
  if ("errors" in result) {
    throw new DocumentError(DocumentErrorCode.XML_DETAIL, domain, formatSyntaxError(kind, xml, result.errors));
  }
  return result.root;
}

/**
 * libvirt hands strings to the parser, which then refuses a declared encoding that it does not know and ignores one that
 * it knows. We ask it about the declaration only where there is one that is not UTF-8.
 */
function parseAsUtf8(xml: string, bytes: Uint8Array): ParseResult {
  if (/^<\?xml[^>]*\sencoding\s*=\s*["'](?!utf-8["'])/i.test(xml)) {
    const heeding = parseBytes(bytes, null);
    if ("errors" in heeding && heeding.errors[0]?.message.startsWith("Unsupported encoding")) {
      return heeding;
    }
  }
  const result = parseBytes(bytes, "UTF-8");
  if ("root" in result && result.hasNamespaceErrors) {
    return findExtraContent(xml) ?? result;
  }
  return result;
}

/**
 * After an undeclared prefix, which is allowed, the parser no longer looks whether anything follows the root element. It
 * does without namespaces: an underscore may stand wherever a colon may.
 */
function findExtraContent(xml: string): ParseResult | null {
  const result = parseBytes(encodeUtf8(xml.replaceAll(":", "_")), "UTF-8");
  return "errors" in result && result.errors[0]?.message.startsWith("Extra content") ? result : null;
}

function hasMoreNodesThan(limit: number, xml: string): boolean {
  if (xml.length <= limit) {
    return false;
  }
  let count = 0;
  for (const mark of ["<", "="]) {
    for (let at = xml.indexOf(mark); at !== -1; at = xml.indexOf(mark, at + 1)) {
      if (++count > limit) {
        return true;
      }
    }
  }
  return false;
}
