import type { XmlElement } from "../xml/element.js";

/** Writes a parsed document so that a parser gets exactly the same tree from it: nothing is indented, folded or dropped. */
export function serialize(element: XmlElement): string {
  const name = unprefixed(element.name);
  let output = `<${name} xmlns="${escapeAll(element.namespaceUri ?? "")}"`;
  for (const [attribute, value] of element.attributes) {
    output += ` ${unprefixed(attribute)}="${escapeAll(value)}"`;
  }
  output += ">";
  for (const node of element.children) {
    output += typeof node === "string" ? escapeAll(node) : serialize(node);
  }
  return `${output}</${name}>`;
}

/** A prefix that stands for nothing is part of the name to libvirt. No schema knows such a name; it only must stay unknown. */
function unprefixed(name: string): string {
  return name.replaceAll(":", "_");
}

/** Line ends and tabs too, which a parser would fold in an attribute. */
function escapeAll(text: string): string {
  return text.replace(/[<>&"\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}
