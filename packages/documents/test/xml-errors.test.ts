// What libvirt says about documents that are not well-formed: text, line, offending source line and caret, recorded.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DocumentError, DocumentErrorDomain } from "../dist/errors.js";
import { type ParseOptions, parseDocument } from "../dist/xml/parse.js";
import { decodeBytes } from "./bytes.js";

const POOL: ParseOptions = { kind: "storage_pool_definition", domain: DocumentErrorDomain.STORAGE, root: "pool" };

const recording = JSON.parse(readFileSync(new URL("fixtures/malformed.json", import.meta.url), "utf8")) as {
  rows: { document: string; message: string }[];
};

const fromBytes = (latin1: string) => decodeBytes(Buffer.from(latin1, "latin1"));

function messageFor(xml: string, options = POOL): string {
  try {
    parseDocument(xml, options);
    return "(accepted)";
  } catch (error) {
    expect(error).toBeInstanceOf(DocumentError);
    expect(error).toMatchObject({ libvirtCode: 35, libvirtDomain: options.domain });
    return (error as DocumentError).message;
  }
}

describe("a malformed document gets libvirt's words", () => {
  it("in a table that is not empty", () => {
    expect(recording.rows.length).toBeGreaterThan(200);
  });
  it.each(recording.rows.map(({ document, message }) => [document, message]))("%j", (document, message) => {
    expect(messageFor(fromBytes(document))).toBe(fromBytes(message));
  });
});

describe("the kind and domain of a document", () => {
  it.each([
    ["storage_volume_definition", DocumentErrorDomain.STORAGE],
    ["storage_source_specification", DocumentErrorDomain.STORAGE],
    ["definition_of_secret", DocumentErrorDomain.SECRET],
  ] as const)("%s stands in the message", (kind, domain) => {
    expect(messageFor("", { kind, domain, root: "x" })).toBe(`(${kind}):1: Document is empty\n(null)\n^`);
  });
});

describe("what is well-formed", () => {
  const accepts = (xml: string) => parseDocument(xml, POOL);
  it.each([
    ["an undeclared prefix", "<pool><x:y/></pool>"],
    ["a declared encoding that the string no longer has", "<?xml version='1.0' encoding='ISO-8859-1'?><pool>é</pool>"],
    ["a byte order mark", "\ufeff<pool/>"],
    ["a document type without a subset", "<!DOCTYPE pool SYSTEM 'x.dtd'><pool/>"],
    ["comments and instructions around", "<!-- a --><?b c?><pool/><!-- d -->\n"],
  ])("%s is accepted", (_name, xml) => {
    expect(accepts(xml).name).toBe("pool");
  });
  it("ends at a NUL as a C string does", () => {
    expect(accepts("<pool/>\0<garbage").name).toBe("pool");
  });
  it("has nothing behind the root, also after an undeclared prefix", () => {
    expect(messageFor("<pool><x:y/></pool><more/>")).toBe(
      "(storage_pool_definition):1: Extra content at the end of the document\n<pool><x:y/></pool><more/>\n-------------------^",
    );
  });
  it("has the root that is expected", () => {
    expect(() => accepts("<volume/>")).toThrow(
      expect.objectContaining({
        libvirtCode: 27,
        libvirtDomain: 5,
        message: "expecting root element of 'pool', not 'volume'",
      }),
    );
  });
  it("becomes a plain tree", () => {
    const root = accepts("<pool a='1' x:a='2' xmlns:x='u'>\n <x:b>c&amp;<![CDATA[<d>]]><!-- e --></x:b></pool>");
    expect([...root.attributes]).toEqual([["a", "1"]]);
    expect(root.children).toEqual([
      "\n ",
      { name: "b", namespaceUri: "u", attributes: new Map(), children: ["c&", "<d>"], line: 2 },
    ]);
    expect(structuredClone(root)).toEqual(root);
  });
});
