// Our schemas against libvirt's own, where libvirt is installed: thousands of documents, each one mutation away from a
// good one, must be taken or refused by both. The exceptions are wanted and stand below with their reasons.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DocumentErrorDomain } from "../dist/errors.js";
import { serialize } from "../dist/validation/serialize.js";
import { validatePool, validateSecret, validateVolume } from "../dist/validation/validate.js";
import type { XmlElement } from "../dist/xml/element.js";
import { parseDocument } from "../dist/xml/parse.js";
import { POOLS, SECRETS, VOLUMES } from "./good-documents.js";

const SCHEMAS = "/usr/share/libvirt/schemas";
const missing = !existsSync(SCHEMAS)
  ? "libvirt's schemas are not installed"
  : spawnSync("xmllint", ["--version"]).error !== undefined
    ? "xmllint is not installed"
    : null;

/** Where ours is wanted to differ: what is said of the documents in question, what ours does, and why. */
const WANTED: readonly { readonly documents: RegExp; readonly ours: "takes" | "refuses"; readonly reason: string }[] = [
  { documents: /^fs pool: children reversed$/, ours: "takes", reason: "the reader finds mount options anywhere" },
  { documents: /host: @port='-1'$/, ours: "refuses", reason: "ports are not negative" },
  { documents: /^logical pool: source: two <name>$/, ours: "refuses", reason: "only one of them can be meant" },
  { documents: /@(name|username|usage|mode|hash)=''$/, ours: "refuses", reason: "an empty name names nothing" },
  { documents: /secret: @uuid=/, ours: "refuses", reason: "a secret's UUID has the form of a UUID" },
  { documents: /^zfs pool: source: two <device>$/, ours: "takes", reason: "zpool create takes several devices" },
  {
    documents: /backingStore: path: text/,
    ours: "takes",
    reason: "libvirt itself writes relative paths and URIs here",
  },
  { documents: /encryption: children reversed$/, ours: "takes", reason: "the reader takes any order" },
  { documents: /cipher: without @(mode|hash)$/, ours: "takes", reason: "the reader needs neither" },
  { documents: /encryption: without <ivgen>$/, ours: "takes", reason: "the reader does not need it" },
];

interface Mutation {
  readonly what: string;
  readonly root: XmlElement;
}

/** Every document one step away: for each element and attribute, one change at a time. */
function* mutations(element: XmlElement): Generator<Mutation> {
  const here = (what: string, change: Partial<XmlElement>): Mutation => ({
    what: `${element.name}: ${what}`,
    root: { ...element, ...change },
  });
  const isLeaf = element.children.every((node) => typeof node === "string");
  yield here("unknown attribute", { attributes: new Map([...element.attributes, ["zz", "1"]]) });
  yield here("unknown element", { children: [...element.children, { ...element, name: "zz", children: [] }] });
  if (isLeaf) {
    for (const text of ["", "x", "-1", "0", "/a b", "a/b", "99999999999999999999", " 1", "1.5", "yes"]) {
      yield here(`text '${text}'`, { children: [text] });
    }
  } else {
    yield here("children reversed", { children: element.children.toReversed() });
    yield here("stray text", { children: ["x", ...element.children] });
  }
  for (const name of element.attributes.keys()) {
    const without = [...element.attributes].filter(([other]) => other !== name);
    yield here(`without @${name}`, { attributes: new Map(without) });
    for (const value of ["", "x", "-1", "0", "yes", "raw", "/a", "a b", "99999999999"]) {
      yield here(`@${name}='${value}'`, { attributes: new Map([...without, [name, value]]) });
    }
  }
  for (const [index, node] of element.children.entries()) {
    if (typeof node === "string") {
      continue;
    }
    yield here(`without <${node.name}>`, { children: element.children.toSpliced(index, 1) });
    yield here(`two <${node.name}>`, { children: element.children.toSpliced(index, 0, node) });
    for (const { what, root: changed } of mutations(node)) {
      yield here(what, { children: element.children.with(index, changed) });
    }
  }
}

/** What libvirt's schema says, all documents in one run of xmllint. */
function askLibvirt(schema: string, documents: readonly string[]): boolean[] {
  const directory = mkdtempSync(join(tmpdir(), "cistern-schemas-"));
  try {
    const files = documents.map((document, index) => {
      const file = join(directory, `${index}.xml`);
      writeFileSync(file, document);
      return file;
    });
    const run = spawnSync("xmllint", ["--noout", "--relaxng", join(SCHEMAS, schema), ...files], {
      encoding: "utf8",
      maxBuffer: 256 * 1024 * 1024,
      timeout: 60_000,
    });
    const valid = new Set(Array.from(run.stderr.matchAll(/^(.*) validates$/gm), (match) => match[1]));
    return files.map((file) => valid.has(file));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const passes = (validate: (xml: string) => void, xml: string): boolean => {
  try {
    validate(xml);
    return true;
  } catch {
    return false;
  }
};

const SUITES = [
  { schema: "storagepool.rng", kind: "storage_pool_definition", root: "pool", validate: validatePool, good: POOLS },
  {
    schema: "storagevol.rng",
    kind: "storage_volume_definition",
    root: "volume",
    validate: validateVolume,
    good: VOLUMES,
  },
  { schema: "secret.rng", kind: "definition_of_secret", root: "secret", validate: validateSecret, good: SECRETS },
] as const;

describe.skipIf(missing !== null)(`schemas agree with libvirt's${missing === null ? "" : ` (${missing})`}`, () => {
  it.each(SUITES)("$schema", ({ schema, kind, root, validate, good }) => {
    const cases = good.flatMap((xml) => {
      const tree = parseDocument(xml, { kind, domain: DocumentErrorDomain.STORAGE, root });
      const type = tree.attributes.get("type") ?? root;
      return [{ what: "as it is", root: tree }, ...mutations(tree)].map(({ what, root: changed }) => ({
        what: `${type} ${what}`,
        xml: serialize(changed),
      }));
    });
    const theirs = askLibvirt(
      schema,
      cases.map(({ xml }) => xml),
    );
    const differences = cases.flatMap(({ what, xml }, index) => {
      const ours = passes(validate, xml);
      return ours === theirs[index] ? [] : [{ what, ours: ours ? "takes" : "refuses" }];
    });
    const isWanted = (difference: { what: string; ours: string }) =>
      WANTED.some(({ documents, ours }) => ours === difference.ours && documents.test(difference.what));
    expect(differences.filter((difference) => !isWanted(difference))).toEqual([]);
    expect(theirs.filter((valid) => valid).length).toBeGreaterThanOrEqual(good.length);
    expect(theirs.filter((valid) => !valid).length).toBeGreaterThan(100);
  });
});
