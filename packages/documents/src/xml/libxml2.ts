/**
 * The one place that knows the XML parser: libxml2 compiled to WebAssembly. The package's public classes refuse documents
 * with undeclared namespace prefixes, which libvirt accepts, and wrap every node; so its binding is used, whose exact
 * version package.json names.
 *
 * No input provider is registered, entities are not substituted and no DTD is loaded: a document cannot make the parser
 * read anything.
 */
import {
  type ErrorDetail,
  error,
  XmlNodeStruct,
  XmlNodeType,
  XmlNsStruct,
  xmlCtxtSetErrorHandler,
  xmlDocGetRootElement,
  xmlFreeDoc,
  xmlFreeParserCtxt,
  xmlNewParserCtxt,
  xmlNodeGetContent,
  xmlReadMemory,
} from "libxml2-wasm/lib/libxml2.mjs";
import type { XmlElement } from "./element.js";
import type { SyntaxDiagnostic } from "./syntax-error.js";

const XML_PARSE_NOWARNING = 64;
const XML_PARSE_NONET = 2048;

/** Of libxml2's error levels, the one that makes a document unusable. The level below is about namespaces. */
const XML_ERR_FATAL = 3;

/** Either the tree or what makes the document unusable, in the order in which the parser met it. */
export type ParseResult =
  | { readonly root: XmlElement; readonly hasNamespaceErrors: boolean }
  | { readonly errors: readonly SyntaxDiagnostic[] };

/** @param encoding `UTF-8` to ignore what the document says about its encoding, null to heed it */
export function parseBytes(bytes: Uint8Array, encoding: "UTF-8" | null): ParseResult {
  return withDocument(bytes, encoding, (root, errors) => {
    if (root !== null) {
      return { root: toElement(root), hasNamespaceErrors: errors.length > 0 };
    }
    const fatal = errors.filter(({ level }) => level >= XML_ERR_FATAL);
    return { errors: fatal.map(({ message, line, col }) => ({ message, line, column: col })) };
  });
}

/** Lends the root node (null: not well-formed) and what the parser said, and frees all of it whatever happens. */
function withDocument<T>(
  bytes: Uint8Array,
  encoding: string | null,
  use: (root: number | null, errors: readonly ErrorDetail[]) => T,
): T {
  const context = xmlNewParserCtxt();
  const errors: ErrorDetail[] = [];
  const slot = error.storage.allocate(errors);
  let document = 0;
  try {
    xmlCtxtSetErrorHandler(context, error.errorCollector, slot);
    document = xmlReadMemory(context, bytes, null, encoding, XML_PARSE_NONET | XML_PARSE_NOWARNING);
    return use(document === 0 ? null : xmlDocGetRootElement(document), errors);
  } finally {
    if (document !== 0) {
      xmlFreeDoc(document);
    }
    error.storage.free(slot);
    xmlFreeParserCtxt(context);
  }
}

/** Recurses once per level; libxml2 refuses more than 256. */
function toElement(node: number): XmlElement {
  const attributes = new Map<string, string>();
  for (let attribute = XmlNodeStruct.properties(node); attribute !== 0; attribute = XmlNodeStruct.next(attribute)) {
    if (XmlNodeStruct.namespace(attribute) === 0) {
      attributes.set(XmlNodeStruct.name_(attribute), xmlNodeGetContent(attribute));
    }
  }
  const children: (XmlElement | string)[] = [];
  for (let next = XmlNodeStruct.children(node); next !== 0; next = XmlNodeStruct.next(next)) {
    const type = XmlNodeStruct.type(next);
    if (type === XmlNodeType.XML_ELEMENT_NODE) {
      children.push(toElement(next));
    } else if (type === XmlNodeType.XML_TEXT_NODE || type === XmlNodeType.XML_CDATA_SECTION_NODE) {
      children.push(xmlNodeGetContent(next));
    }
  }
  const namespace = XmlNodeStruct.namespace(node);
  return {
    name: XmlNodeStruct.name_(node),
    namespaceUri: namespace === 0 ? null : XmlNsStruct.href(namespace),
    attributes,
    children,
    line: XmlNodeStruct.line(node),
  };
}
