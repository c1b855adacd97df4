/** What a hostile document is built around: a document of one kind that would be accepted. */
export interface DocumentFrame {
  readonly root: string;
  /** Inside the root element. */
  readonly content: string;
}

export interface HostileDocument {
  readonly what: string;
  /** As it goes over the wire: not always UTF-8. */
  readonly bytes: (frame: DocumentFrame) => Buffer;
  /** Not hostile but odd: it may be accepted. */
  readonly legal?: true;
}

/** A string on the wire holds at most 4 MiB. */
const LONGEST = 4 * 1024 * 1024;
/** Left for what stands around the bulk. */
const BULK = LONGEST - 4096;

/** `secret`: a file whose content must not be seen. `fifo`: a path that, when it is opened, holds up whoever reads it. */
export function hostileDocuments({ secret, fifo }: { secret: string; fifo: string }): HostileDocument[] {
  const external = (path: string): HostileDocument[] => [
    text(`an external entity, ${path}`, doctype(`[<!ENTITY e SYSTEM "file://${path}">]`, "&e;")),
    text(`an external entity without a scheme, ${path}`, doctype(`[<!ENTITY e SYSTEM "${path}">]`, "&e;")),
    text(`an external parameter entity, ${path}`, doctype(`[<!ENTITY % e SYSTEM "file://${path}"> %e;]`)),
    text(`an external subset, ${path}`, doctype(`SYSTEM "file://${path}"`), true),
    text(`a public external subset, ${path}`, doctype(`PUBLIC "-//X//Y" "${path}"`), true),
    text(
      `XInclude, ${path}`,
      ({ root, content }) => {
        const include = `<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file://${path}" parse="text"/>`;
        return `<${root}>${include}<name>${include}</name>${content}</${root}>`;
      },
      true,
    ),
    text(
      `xml:base and a schema, ${path}`,
      ({ root, content }) => {
        const schema = `xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="${path}"`;
        return `<?xml-stylesheet href="file://${path}"?><${root} xml:base="file://${path}" ${schema}>${content}</${root}>`;
      },
      true,
    ),
  ];
  return [...external(secret), ...external(fifo), ...bombs, ...bulks, ...encodings];
}

const laughs = Array.from({ length: 12 }, (_, index) =>
  index === 0 ? '<!ENTITY l0 "ha">' : `<!ENTITY l${index} "${`&l${index - 1};`.repeat(10)}">`,
).join("");

const bombs: HostileDocument[] = [
  text("a billion laughs", doctype(`[${laughs}]`, "&l11;")),
  text("a billion laughs in an attribute", ({ root, content }) => {
    return `<!DOCTYPE ${root} [${laughs}]><${root} a="&l11;">${content}</${root}>`;
  }),
  text("one long entity, often", doctype(`[<!ENTITY e "${"x".repeat(100_000)}">]`, "&e;".repeat(100_000))),
  text("an entity of itself", doctype('[<!ENTITY e "&e;">]', "&e;")),
  text("attributes by default", doctype(`[<!ATTLIST name ${'a CDATA "x" '.repeat(10_000)}>]`)),
];

const bulks: HostileDocument[] = [
  text("4 MiB of nesting", ({ root }) => `<${root}>${"<a>".repeat(BULK / 3)}`),
  text("4 MiB of nesting, closed", ({ root, content }) => {
    const count = Math.floor(BULK / 7);
    return `<${root}>${content}${"<a>".repeat(count)}${"</a>".repeat(count)}</${root}>`;
  }),
  text("4 MiB of attributes", ({ root, content }) => {
    const attributes = Array.from({ length: BULK / 16 }, (_, index) => ` a${String(index).padStart(8, "0")}="x"`);
    return `<${root}${attributes.join("")}>${content}</${root}>`;
  }),
  text("one attribute of 4 MiB", ({ root, content }) => `<${root} a="${"x".repeat(BULK)}">${content}</${root}>`, true),
  text("the same attribute, often", ({ root }) => `<${root}${' a="x"'.repeat(BULK / 6)}/>`),
  text("4 MiB of siblings", ({ root, content }) => `<${root}>${content}${"<a/>".repeat(BULK / 4)}</${root}>`),
  text("4 MiB of siblings that mean something", ({ root, content }) => {
    return `<${root}>${content}<source>${"<device path='x'/>".repeat(BULK / 18)}</source></${root}>`;
  }),
  text("4 MiB in one text", ({ root, content }) => `<${root}>${content}<x>${"x".repeat(BULK)}</x></${root}>`, true),
  text(
    "4 MiB in the name",
    ({ root, content }) => {
      return `<${root}><name>${"x".repeat(BULK)}</name>${content}</${root}>`;
    },
    true,
  ),
  text("4 MiB of comment", ({ root, content }) => `<!--${"x".repeat(BULK)}--><${root}>${content}</${root}>`, true),
  text("4 MiB of comments", ({ root, content }) => `${"<!---->".repeat(BULK / 7)}<${root}>${content}</${root}>`, true),
  text(
    "4 MiB of instructions",
    ({ root, content }) => `${"<?x?>".repeat(BULK / 5)}<${root}>${content}</${root}>`,
    true,
  ),
  text(
    "4 MiB of CDATA",
    ({ root, content }) => {
      return `<${root}>${content}<x>${"<![CDATA[x]]>".repeat(BULK / 13)}</x></${root}>`;
    },
    true,
  ),
  text("4 MiB of quotes in a DOCTYPE", ({ root }) => `<!DOCTYPE ${root} ${`"x" `.repeat(BULK / 4)}><${root}/>`),
  text("4 MiB of an open DOCTYPE", ({ root }) => `<!DOCTYPE ${root} ${"x".repeat(BULK)}`),
  text("4 MiB of line feeds before an error", ({ root }) => `<${root}>${"\n".repeat(BULK)}<`),
  text("a line of 4 MiB before an error", ({ root }) => `<${root}>${"x".repeat(BULK)}<`),
  text(
    "4 MiB of references",
    ({ root, content }) => {
      return `<${root}>${content}<x>${"&#120;".repeat(BULK / 6)}</x></${root}>`;
    },
    true,
  ),
  text(
    "4 MiB of namespaces",
    ({ root, content }) => {
      const spaces = Array.from(
        { length: BULK / 32 },
        (_, index) => ` xmlns:a${String(index).padStart(8, "0")}="urn:x"`,
      );
      return `<${root}${spaces.join("")}>${content}</${root}>`;
    },
    true,
  ),
  text("4 MiB of an undeclared prefix", ({ root }) => `<${root}>${"<a:b/>".repeat(BULK / 6)}</${root}>`),
  text("4 MiB of a declaration", ({ root }) => `<?xml version="1.0"${" ".repeat(BULK)}encoding="x"?><${root}/>`),
  text("4 MiB of nothing", () => " ".repeat(BULK)),
];

const encodings: HostileDocument[] = [
  bytes("a NUL in the middle", ({ root }) => Buffer.from(`<${root}><na\0me/></${root}>`)),
  bytes("a NUL at the end", ({ root, content }) => Buffer.from(`<${root}>${content}</${root}>\0<x/>`), true),
  bytes("only a NUL", () => Buffer.of(0)),
  bytes("nothing", () => Buffer.alloc(0)),
  bytes("bytes that are not UTF-8", ({ root }) => {
    return Buffer.concat([Buffer.from(`<${root}><name>`), Buffer.of(0xff, 0xfe, 0xc0, 0x80), Buffer.from("</name>")]);
  }),
  bytes("half a character", ({ root }) => Buffer.concat([Buffer.from(`<${root}>`), Buffer.of(0xe2, 0x82)])),
  bytes("UTF-16, little endian", (frame) =>
    Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from(plain(frame), "utf16le")]),
  ),
  bytes("UTF-16, big endian", (frame) => {
    return Buffer.concat([Buffer.of(0xfe, 0xff), Buffer.from(plain(frame), "utf16le").swap16()]);
  }),
  bytes(
    "UTF-16 by its declaration",
    (frame) => {
      return Buffer.from(`<?xml version="1.0" encoding="UTF-16"?>${plain(frame)}`);
    },
    true,
  ),
  bytes(
    "UTF-7 by its declaration",
    (frame) => {
      return Buffer.from(`<?xml version="1.0" encoding="UTF-7"?>${plain(frame)}`);
    },
    true,
  ),
  bytes("an encoding nobody knows", (frame) => Buffer.from(`<?xml version="1.0" encoding="x-y"?>${plain(frame)}`)),
];

function text(what: string, make: (frame: DocumentFrame) => string, legal?: true): HostileDocument {
  return bytes(what, (frame) => Buffer.from(make(frame)), legal);
}

function bytes(what: string, make: (frame: DocumentFrame) => Buffer, legal?: true): HostileDocument {
  return { what, bytes: make, ...(legal === true ? { legal } : {}) };
}

function plain({ root, content }: DocumentFrame): string {
  return `<${root}>${content}</${root}>`;
}

/** With something behind the root's name in a document type declaration, and an element that uses it. */
function doctype(declaration: string, use = ""): (frame: DocumentFrame) => string {
  return ({ root, content }) => {
    const used = use === "" ? "" : `<description>${use}</description>`;
    return `<?xml version="1.0"?><!DOCTYPE ${root} ${declaration}><${root}>${used}${content}</${root}>`;
  };
}
