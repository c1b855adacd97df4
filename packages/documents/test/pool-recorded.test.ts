// Pool documents and what a real libvirtd made of them, from the shared recordings.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readPool } from "../dist/pool-reader.js";
import { writePool } from "../dist/pool-writer.js";
import { isSharedPresent, type Recorded, readRecordings, SHARED } from "./shared-material.js";

interface RecordedPool {
  readonly input: string;
  readonly libvirtd: { readonly define: Recorded<true>; readonly xml?: Recorded<string> };
}

const UUID = "6d2f6f2a-3b1c-4f5e-9a7b-0c1d2e3f4a5b";
const read = (xml: string) => readPool(xml, { randomUuid: () => UUID });

const corpus = readRecordings<RecordedPool>("corpus/pools");
const canonical = isSharedPresent ? canonicalDocuments() : [];

/** Appendix B of the observations: `## title` and the document that libvirtd wrote. */
function canonicalDocuments(): [title: string, xml: string][] {
  const text = readFileSync(new URL("wire/7-observed.md", SHARED), "utf8");
  const appendix = text.slice(text.indexOf("# Appendix B"), text.indexOf("# Appendix C"));
  return [...appendix.matchAll(/^## ([^\n]*)\n(<pool.*?<\/pool>\n)/gms)].map(([, title = "", xml = ""]) => [
    title,
    xml,
  ]);
}

describe.skipIf(!isSharedPresent)("the shared recordings (skipped where ../shared is absent)", () => {
  it("are there", () => {
    expect(corpus.length).toBeGreaterThan(20);
    expect(canonical.length).toBeGreaterThan(20);
  });
  it.each(corpus)("%s is written as libvirtd wrote it", (_name, { input, libvirtd }) => {
    const written = writePool(read(input));
    const { define, xml } = libvirtd;
    if ("err" in define) {
      // The only refusals are those of absent backends, which is not the document's fault.
      expect(define.err.message).toMatch(/missing backend for pool type/);
      expect(writePool(readPool(written))).toBe(written);
    } else {
      expect(xml).toMatchObject({ ok: expect.any(String) });
      expect(written).toBe((xml as { ok: string }).ok.replaceAll("@UUID@", UUID));
    }
  });
  it.each(canonical)("canonical document %s reads and writes to itself", (_title, xml) => {
    expect(writePool(read(xml))).toBe(xml);
  });
});

describe("what a pool document means", () => {
  const dir = (inner: string) => read(`<pool type='dir'><name>k</name>${inner}<target><path>/x</path></target></pool>`);
  it("ignores sizes", () => {
    const sizes = dir("<capacity unit='GiB'>7</capacity><allocation>x</allocation><available>9</available>");
    expect(sizes).toMatchObject({ capacityBytes: 0n, allocationBytes: 0n, availableBytes: 0n });
  });
  it("takes the first <source> and drops what it does not know", () => {
    const xml =
      "<pool type='vstorage'><source><name>a</name></source><source><name>b</name></source><x/>" +
      "<target><path>/x</path></target></pool>";
    expect(read(xml)).toMatchObject({ name: "a", source: { name: "a" } });
  });
  it("names a volume group or dataset after the pool and the other way round", () => {
    for (const type of ["logical", "zfs"]) {
      expect(read(`<pool type='${type}'><name>k</name></pool>`).source.name).toBe("k");
      expect(read(`<pool type='${type}'><source><name>vg</name></source></pool>`).name).toBe("vg");
    }
  });
  it.each([
    ["logical", "/dev/k"],
    ["zfs", "/dev/zvol/k"],
  ])("derives the target of %s", (type, path) => {
    const xml = `<pool type='${type}'><name>k</name><target><path>/else</path></target></pool>`;
    expect(read(xml).target.path).toBe(path);
  });
  it("gives gluster a directory", () => {
    const xml = "<pool type='gluster'><name>k</name><source><host name='h'/><name>v</name></source></pool>";
    expect(read(xml)).toMatchObject({ source: { directory: "/" }, target: { path: null } });
  });
  it.each([
    ["///var//lib/", "/var/lib"],
    ["//a//b/", "//a/b"],
    ["rel//x/", "rel/x"],
    ["/", "/"],
    ["//", "//"],
    ["nbd://h//x/", "nbd://h//x/"],
  ])("tidies the path %s", (path, tidy) => {
    expect(read(`<pool type='dir'><name>k</name><target><path>${path}</path></target></pool>`).target.path).toBe(tidy);
  });
  it("keeps an unset owner unset, also as the unsigned -1", () => {
    const xml = (owner: string) =>
      `<pool type='dir'><name>k</name><target><path>/x</path><permissions><owner>${owner}</owner></permissions></target></pool>`;
    expect(read(xml("-1")).target.permissions.owner).toBeNull();
    expect(read(xml("4294967295")).target.permissions.owner).toBeNull();
    expect(read(xml("4294967294")).target.permissions.owner).toBe(4294967294);
  });
  it("makes up a UUID where none is said, a new one each time", () => {
    const xml = "<pool type='dir'><name>k</name><target><path>/x</path></target></pool>";
    const [first, second] = [readPool(xml).uuid, readPool(xml).uuid];
    expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(second).not.toBe(first);
  });
  it("is plain data", () => {
    const document = dir("");
    expect(structuredClone(document)).toEqual(document);
  });
});
