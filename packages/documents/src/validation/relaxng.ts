// Words to write a RELAX NG grammar with. A pattern is the XML text of the pattern; the functions read like the
// compact syntax: `element("host", attribute("name", data("token")), empty)`.

export type Pattern = string;

const STRUCTURE_NAMESPACE = "http://relaxng.org/ns/structure/1.0";
const DATATYPES = "http://www.w3.org/2001/XMLSchema-datatypes";

export const text: Pattern = "<text/>";
export const empty: Pattern = "<empty/>";

export function element(name: string, ...content: Pattern[]): Pattern {
  return `<element name="${name}">${content.join("")}</element>`;
}
export function attribute(name: string, content: Pattern): Pattern {
  return `<attribute name="${name}">${content}</attribute>`;
}
export function optional(...content: Pattern[]): Pattern {
  return `<optional>${content.join("")}</optional>`;
}
export function zeroOrMore(...content: Pattern[]): Pattern {
  return `<zeroOrMore>${content.join("")}</zeroOrMore>`;
}
export function oneOrMore(...content: Pattern[]): Pattern {
  return `<oneOrMore>${content.join("")}</oneOrMore>`;
}
/** Each of the patterns, in any order. */
export function interleave(...patterns: Pattern[]): Pattern {
  return patterns.length === 1 ? patterns.join("") : `<interleave>${patterns.join("")}</interleave>`;
}
export function choice(...patterns: Pattern[]): Pattern {
  return patterns.length === 1 ? patterns.join("") : `<choice>${patterns.join("")}</choice>`;
}
export function group(...patterns: Pattern[]): Pattern {
  return `<group>${patterns.join("")}</group>`;
}
/** One of the words. */
export function words(values: Iterable<string>): Pattern {
  return choice(...Array.from(values, (value) => `<value>${escapeMarkup(value)}</value>`));
}
/** An XML Schema datatype, narrowed by facets such as `pattern` or `maxInclusive`. */
export function data(type: string, facets: Readonly<Record<string, string>> = {}): Pattern {
  const params = Object.entries(facets).map(([name, value]) => `<param name="${name}">${escapeMarkup(value)}</param>`);
  return `<data type="${type}">${params.join("")}</data>`;
}

/** A grammar whose document element is `start`; `namespaces` gives the prefixes its names use. */
export function grammar(start: Pattern, namespaces: Readonly<Record<string, string>> = {}): string {
  const prefixes = Object.entries(namespaces).map(([prefix, uri]) => ` xmlns:${prefix}="${uri}"`);
  return `<grammar xmlns="${STRUCTURE_NAMESPACE}" datatypeLibrary="${DATATYPES}"${prefixes.join("")}><start>${start}</start></grammar>`;
}

function escapeMarkup(value: string): string {
  return value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
