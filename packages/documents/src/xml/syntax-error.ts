import { MAX_ERROR_CONTEXT_BYTES } from "./limits.js";
import { encodeUtf8, utf8Length } from "./text.js";

/** What the parser says about a document: `line` and `column` from 1, the column in characters. */
export interface SyntaxDiagnostic {
  readonly message: string;
  readonly line: number;
  readonly column: number;
}

interface Finding {
  readonly message: string;
  /** Index in the document at which the parser stood. */
  readonly position: number;
}

/**
 * Formats what is wrong with a document as libvirt does, which shows the first of the parser's complaints:
 *
 *     (storage_pool_definition):1: Opening and ending tag mismatch: pool line 1 and poo
 *     <pool type="dir"></poo>
 *     -----------------------^
 *
 * The dashes count bytes, tabs stay; where the parser stood on an empty line the context is `(null)`.
 *
 * @param diagnostics in the parser's order
 */
export function formatSyntaxError(kind: string, xml: string, diagnostics: readonly SyntaxDiagnostic[]): string {
  const known = diagnostics.filter((diagnostic, index) => !isNews(diagnostic, diagnostics[index + 1], xml));
  const diagnostic = known[0] ?? { message: "Document cannot be parsed", line: 1, column: 1 };
  const { message, position } = asLibxml2914(xml, {
    message: diagnostic.message.replace(/\n$/, ""),
    position: positionOf(xml, diagnostic.line, diagnostic.column),
  });
  return `(${kind}):${diagnostic.line}: ${message}\n${formatContext(xml, position)}`;
}

/** The offending line and the caret below it. Right at a line's end libvirt shows the line before the line ends. */
function formatContext(xml: string, position: number): string {
  let last = position;
  while (last > 0 && isLineEnd(xml.charAt(last))) {
    last--;
  }
  let start = last;
  while (start > 0 && !isLineEnd(xml.charAt(start))) {
    start--;
  }
  if (isLineEnd(xml.charAt(start))) {
    start++;
  }
  const earliest = position - MAX_ERROR_CONTEXT_BYTES / 2;
  start = Math.max(start, earliest);
  const rest = xml.slice(start, start + MAX_ERROR_CONTEXT_BYTES);
  const line = rest.slice(0, /[\r\n]/.exec(rest)?.index);
  const pointer = xml
    .slice(start, position)
    .split("\t")
    .map((part) => "-".repeat(utf8Length(part)));
  return `${line || "(null)"}\n${pointer.join("\t")}^`;
}

function isLineEnd(character: string): boolean {
  return character === "\n" || character === "\r";
}

function positionOf(xml: string, line: number, column: number): number {
  let start = 0;
  for (let passed = 1; passed < line; passed++) {
    const end = xml.indexOf("\n", start);
    if (end === -1) {
      break;
    }
    start = end + 1;
  }
  let position = start;
  for (let passed = 1; passed < column && position < xml.length; passed++) {
    position += (xml.codePointAt(position) ?? 0) > 0xffff ? 2 : 1;
  }
  return position;
}

/**
 * The parser we use is newer than the libxml2 2.9.14 that libvirt 9.0.0 stands on. Where they differ in a message or in
 * how far the parser has read, the older one's answer is given, because clients and scripts know that one.
 */
const DIFFERENCES: readonly {
  readonly pattern: RegExp;
  apply(match: RegExpExecArray, xml: string, finding: Finding): Finding;
}[] = [
  {
    pattern: /^Invalid bytes in character encoding$/,
    apply: (_match, xml, { position }) => ({ message: describeInvalidBytes(xml, position), position }),
  },
  {
    pattern: /^Incomplete UTF-8 sequence/,
    apply: (_match, _xml, { position }) => ({
      message: "internal error: detected an error in element content\n",
      position,
    }),
  },
  {
    pattern: /^Unsupported encoding: (.*)$/,
    apply: (match, _xml, { position }) => ({ message: `Unsupported encoding ${match[1]}`, position }),
  },
  {
    pattern: /^Excessive depth in document: (\d+), use XML_PARSE_HUGE option$/,
    apply: (match, _xml, { position }) => ({
      message: `Excessive depth in document: ${match[1]} use XML_PARSE_HUGE option`,
      position: position + 1,
    }),
  },
  {
    // The older parser stands where the text began: behind the last tag or reference.
    pattern: /^Sequence ']]>' not allowed in content$/,
    apply: (match, xml, { position }) => {
      const tagEnd = xml.lastIndexOf(">", position - 1) + 1;
      const references = /^.*&[^;&]*;/s.exec(xml.slice(tagEnd, position))?.[0] ?? "";
      return { message: match[0], position: tagEnd + references.length };
    },
  },
  {
    // A name that is refused is not read.
    pattern: /^Name too long: /,
    apply: (match, xml, { position }) => ({
      message: match.input,
      position: position - (/[^ \t\r\n<>/="']*$/.exec(xml.slice(0, position))?.[0].length ?? 0),
    }),
  },
  {
    pattern: /^Opening and ending tag mismatch: ([^ ]+) line (\d+) and ([^ ]+)$/,
    apply: ([message, start = "", line, end = ""], _xml, { position }) => ({
      message:
        hasTwoColons(start) || hasTwoColons(end)
          ? `Opening and ending tag mismatch: ${withoutPrefix(start)} line ${line} and ${withoutPrefix(end)}`
          : message,
      position,
    }),
  },
  {
    pattern: /^Specification mandates value for attribute ([^ ]+)$/,
    apply: ([message, name = ""], _xml, { position }) => ({
      message: hasTwoColons(name) ? `Specification mandates value for attribute ${withoutPrefix(name)}` : message,
      position,
    }),
  },
];

/** Of such a name the older parser shows what follows the first colon. */
function hasTwoColons(name: string): boolean {
  return name.indexOf(":") !== name.lastIndexOf(":");
}

function withoutPrefix(name: string): string {
  return name.replace(/^[^:]+:(?=.)/, "");
}

/** Whether a complaint is one that libxml2 2.9.14 does not make, so that the following one counts. */
function isNews(
  { message, line, column }: SyntaxDiagnostic,
  following: SyntaxDiagnostic | undefined,
  xml: string,
): boolean {
  if (message === "Blank needed here\n") {
    const isAfterEncoding = /^<\?xml[^>]*\sencoding\s*=/.test(xml.slice(0, column));
    return isAfterEncoding && following?.message.startsWith("parsing XML declaration") === true;
  }
  if (message === "Invalid bytes in character encoding\n" && following !== undefined) {
    return utf8Length(xml.slice(positionOf(xml, line, column))) < 4;
  }
  return message === "Space required after 'DOCTYPE'\n" && following !== undefined;
}

function asLibxml2914(xml: string, finding: Finding): Finding {
  const character = xml.charCodeAt(finding.position);
  if (character === 0xfffe || character === 0xffff) {
    return { ...finding, message: describeCharacter(character) };
  }
  for (const { pattern, apply } of DIFFERENCES) {
    const match = pattern.exec(finding.message);
    if (match !== null) {
      return apply(match, xml, finding);
    }
  }
  return finding;
}

function describeCharacter(character: number): string {
  return `Char 0x${character.toString(16).toUpperCase()} out of allowed range`;
}

/** Bytes shaped like UTF-8 for something that is no character are told from bytes that are not shaped like UTF-8. */
function describeInvalidBytes(xml: string, position: number): string {
  const bytes = [...encodeUtf8(xml.slice(position, position + 8))].slice(0, 4);
  const [first = 0, second = 0, third = 0, fourth = 0] = bytes.map((byte, index) =>
    index === 0 ? byte : (byte & 0xc0) === 0x80 ? byte & 0x3f : Number.NaN,
  );
  const three = ((first & 0x0f) << 12) + (second << 6) + third;
  if ((first & 0xf0) === 0xe0 && !Number.isNaN(second + third) && three >= 0x800) {
    return describeCharacter(three);
  }
  const four = ((first & 0x07) << 18) + (second << 12) + (third << 6) + fourth;
  if ((first & 0xf8) === 0xf0 && !Number.isNaN(second + third + fourth) && four >= 0x10000) {
    return describeCharacter(four);
  }
  const shown = bytes.map((byte) => `0x${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(" ");
  return `Input is not proper UTF-8, indicate encoding !\n${bytes.length < 4 ? "" : `Bytes: ${shown}`}`;
}
