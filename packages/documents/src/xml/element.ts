/**
 * An element of a parsed document: a plain immutable tree, free of the parser that made it. Text children are merged
 * (CDATA is text); comments and processing instructions are left out.
 */
export interface XmlElement {
  /** The local name, or `prefix:name` where the document does not say what the prefix stands for. */
  readonly name: string;
  readonly namespaceUri: string | null;
  /** Attributes without a namespace, by name. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly (XmlElement | string)[];
  /** From 1; stays at 65535 beyond that. */
  readonly line: number;
}

/** The first child element of that name and no namespace. */
export function child(element: XmlElement, name: string): XmlElement | null {
  for (const node of element.children) {
    if (typeof node !== "string" && node.name === name && node.namespaceUri === null) {
      return node;
    }
  }
  return null;
}

/** All child elements of that name and no namespace, in document order. */
export function children(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter(
    (node): node is XmlElement => typeof node !== "string" && node.name === name && node.namespaceUri === null,
  );
}

/** All elements that a path of names leads to (`target/path`), in document order: XPath's `./target/path`. */
export function descendants(element: XmlElement, path: string): XmlElement[] {
  const slash = path.indexOf("/");
  const found = children(element, slash === -1 ? path : path.slice(0, slash));
  // Most paths lead nowhere: a document says little of what it could.
  if (slash === -1 || found.length === 0) return found;
  const rest = path.slice(slash + 1);
  return found.flatMap((each) => descendants(each, rest));
}

/** The first element that a path of names leads to; later parents are tried where the first has no such child. */
export function descendant(element: XmlElement, path: string): XmlElement | null {
  if (!path.includes("/")) {
    return child(element, path);
  }
  return descendants(element, path)[0] ?? null;
}

/** All text below an element in document order; null where there is none, because libvirt does not tell empty from absent. */
export function text(element: XmlElement | null): string | null {
  return (element === null ? "" : textBelow(element)) || null;
}

/** The text of the first element that a path of names leads to; null where it is missing or empty. */
export function childText(element: XmlElement, path: string): string | null {
  return text(descendant(element, path));
}

/** An attribute of an element; null where it is absent, an empty string where it is empty. */
export function attribute(element: XmlElement | null, name: string): string | null {
  return element?.attributes.get(name) ?? null;
}

/** The attribute of the first element of a path *that has it* (XPath's `string(./path/@name)`); null where it is missing or empty. */
export function childAttribute(element: XmlElement, path: string, name: string): string | null {
  const owner = descendants(element, path).find((e) => e.attributes.has(name));
  return attribute(owner ?? null, name) || null;
}

function textBelow(element: XmlElement): string {
  const only = element.children[0];
  if (element.children.length === 1 && typeof only === "string") {
    return only;
  }
  return element.children.map((node) => (typeof node === "string" ? node : textBelow(node))).join("");
}
