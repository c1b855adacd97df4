// Documents made to hurt: each must end in bounded time and memory, and read no file.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DocumentErrorDomain } from "../dist/errors.js";
import { readPool } from "../dist/pool-reader.js";
import { MAX_DOCUMENT_BYTES, MAX_DOCUMENT_NODES } from "../dist/xml/limits.js";
import { parseDocument } from "../dist/xml/parse.js";

const parse = (xml: string) =>
  parseDocument(xml, { kind: "storage_pool_definition", domain: DocumentErrorDomain.STORAGE, root: "pool" });

/** As many copies as a document may hold. */
const fill = (text: string) => text.repeat(Math.floor((MAX_DOCUMENT_BYTES - 64) / text.length));
const numbered = (count: number, each: (index: number) => string) => Array.from({ length: count }, (_, i) => each(i));

/** Far from the 30 to 200 ms that each takes, close to nothing for what grows with the square of its input. */
const LIMIT_MS = 3000;
const LIMIT_BYTES = 400 * 1024 * 1024;

const bomb = `<!DOCTYPE pool [<!ENTITY a "${"a".repeat(1000)}">${numbered(9, (i) => `<!ENTITY ${"bcdefghij"[i]} "${`&${"abcdefghi"[i]};`.repeat(10)}">`).join("")}]><pool>&j;</pool>`;

const refused: [string, string, RegExp][] = [
  ["an entity bomb", bomb, /:1: Document type declaration with an internal subset is not accepted$/],
  ["a subset behind a quoted bracket", `<!DOCTYPE pool SYSTEM "[" [<!ENTITY a "b">]><pool/>`, /internal subset/],
  [
    "a subset behind comments",
    "<?xml version='1.0'?>\n<!-- > -->\n<!DOCTYPE pool\n[]><pool/>",
    /:4: .*internal subset/,
  ],
  ["4 MiB of nesting", fill("<a>"), new RegExp(`more than ${MAX_DOCUMENT_NODES} tags`)],
  ["100,000 levels", "<pool>".repeat(100_000), /Excessive depth in document: 256 use XML_PARSE_HUGE option/],
  ["more than 4 MiB", fill("x") + "x".repeat(65), new RegExp(`larger than ${MAX_DOCUMENT_BYTES} bytes`)],
  ["4 MiB of bytes that are not UTF-8", `<pool>${fill("\udc80")}`, /not proper UTF-8/],
  ["4 MiB in one line", fill("x"), /Start tag expected/],
  ["4 MiB of unknown references", `<pool>${fill("&a;")}</pool>`, /Entity 'a' not defined/],
  ["4 MiB of comments", fill("<!-- -->"), /more than/],
  ["4 MiB of open comments", fill("<!--"), /more than/],
  ["4 MiB of quotes in a document type", `<!DOCTYPE ${fill("''")}`, /no DOCTYPE name/],
  ["4 MiB of lines", `<pool>${fill("\n")}`, /Premature end of data/],
];
const accepted: [string, string][] = [
  ["4 MiB of text", `<pool>${fill("x")}</pool>`],
  ["4 MiB of references", `<pool>${fill("&amp;")}</pool>`],
  ["90,000 attributes", `<pool ${numbered(90_000, (i) => `a${i}=''`).join(" ")}/>`],
  ["90,000 namespaces", `<pool ${numbered(90_000, (i) => `xmlns:a${i}='u'`).join(" ")}/>`],
  ["130,000 elements", `<pool>${"<a/>".repeat(130_000)}</pool>`],
  ["60,000 undeclared prefixes", `<pool>${"<a:b/>".repeat(60_000)}</pool>`],
];

function bounded(work: () => void): void {
  const memory = process.memoryUsage().rss;
  const start = performance.now();
  work();
  expect(performance.now() - start).toBeLessThan(LIMIT_MS);
  expect(process.memoryUsage().rss - memory).toBeLessThan(LIMIT_BYTES);
}

describe("a hostile document is refused in bounded time and memory", () => {
  it.each(refused)("%s", (_name, xml, message) => {
    bounded(() => expect(() => parse(xml)).toThrow(message));
  });
  it("with a message that fits the protocol", () => {
    expect(() => parse(fill("x"))).toThrow(
      expect.objectContaining({ message: expect.toSatisfy((text: string) => text.length < 200_000) }),
    );
  });
});

describe("a large document is read in bounded time and memory", () => {
  it.each(accepted)("%s", (_name, xml) => {
    bounded(() => expect(parse(xml).name).toBe("pool"));
  });
});

describe("an external entity", () => {
  it.each(["SYSTEM", "PUBLIC 'p'"])("(%s) reads no file", (kind) => {
    const folder = mkdtempSync(join(tmpdir(), "cistern-xml-"));
    try {
      const file = join(folder, "secret");
      writeFileSync(file, "TOP SECRET");
      const dtd = join(folder, "a.dtd");
      writeFileSync(dtd, `<!ENTITY e SYSTEM "${file}">`);
      const inSubset = `<!DOCTYPE pool [<!ENTITY e ${kind} "${file}">]><pool>&e;</pool>`;
      expect(() => parse(inSubset)).toThrow(/internal subset/);
      const external = parse(`<!DOCTYPE pool ${kind} "${dtd}"><pool>&e;</pool>`);
      expect(JSON.stringify(external.children)).not.toContain("SECRET");
      const included = parse(
        `<pool xmlns:xi='http://www.w3.org/2001/XInclude'><xi:include href='${file}' parse='text'/></pool>`,
      );
      expect(JSON.stringify(included)).not.toContain("SECRET");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("speed", () => {
  it("a plain pool document takes well under a millisecond", () => {
    const xml = "<pool type='dir'><name>x</name><target><path>/x</path></target></pool>";
    for (let warm = 0; warm < 500; warm++) {
      readPool(xml);
    }
    const start = performance.now();
    for (let round = 0; round < 500; round++) {
      readPool(xml);
    }
    expect((performance.now() - start) / 500).toBeLessThan(0.5);
  });
});
