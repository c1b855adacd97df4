/**
 * What people do with documents that they only read: look for parts of them, and give a volume another name for a copy of it.
 * Here the parser's own public classes do, because a document that a daemon wrote declares its prefixes.
 */
import { ParseOption, XmlAttribute, XmlDocument, XmlElement, type XmlNode, XmlText } from "libxml2-wasm";
import { encodeUtf8 } from "./text.js";

/**
 * The nodes of a document that an XPath expression finds, each as XML: elements with their content on indented lines,
 * attributes as ` name="value"`.
 *
 * @throws XmlError for what is no document, and for an expression that is none or does not find nodes
 */
export function selectNodes(xml: string, xpath: string): string[] {
  return withDocument(xml, (document) => document.root.find(xpath).map(writeNode));
}

/** The same nodes as one document, within `<nodes>`; attributes become its own. */
export function wrapNodes(nodes: readonly string[]): string {
  const isAttribute = (node: string) => node.startsWith(" ");
  const attributes = nodes.filter(isAttribute).join("");
  const content = nodes.filter((node) => !isAttribute(node)).join("");
  return withDocument(`<nodes${attributes}>${content}</nodes>`, writeDocument);
}

/** Of a volume's document, what belongs to its format. */
const OF_FORMAT = "/volume/backingStore|/volume/target/compat|/volume/target/features|/volume/target/clusterSize";

/**
 * A volume's document with another name, and another format where one is given: then without what belonged to the old one,
 * its backing store too, because a copy in another format has all the content. All else is as it was.
 */
export function copyOfVolume(xml: string, name: string, format: string | null = null): string {
  return withDocument(xml, (document) => {
    const text = document.root.get("/volume/name/text()");
    if (text instanceof XmlText) text.content = name;
    if (format !== null) setFormat(document, format);
    return writeDocument(document);
  });
}

function setFormat(document: XmlDocument, format: string): void {
  const attribute = document.root.get("/volume/target/format/@type");
  if (attribute instanceof XmlAttribute) attribute.content = format;
  for (const node of document.root.find(OF_FORMAT)) node.remove();
}

function writeDocument(document: XmlDocument): string {
  return document.toString({ format: true, noDeclaration: true });
}

function writeNode(node: XmlNode): string {
  if (node instanceof XmlElement) return node.toString({ format: true });
  const content = escapeText(node.content);
  if (!(node instanceof XmlAttribute)) return content;
  const prefix = node.prefix === "" ? "" : `${node.prefix}:`;
  return ` ${prefix}${node.name}="${content.replaceAll('"', "&quot;")}"`;
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Lends the document, and frees it whatever happens. White space between elements is not part of it. */
function withDocument<Result>(xml: string, use: (document: XmlDocument) => Result): Result {
  const option = ParseOption.XML_PARSE_NOBLANKS | ParseOption.XML_PARSE_NONET;
  const document = XmlDocument.fromBuffer(encodeUtf8(xml), { option });
  try {
    return use(document);
  } finally {
    document.dispose();
  }
}
