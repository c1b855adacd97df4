import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backingLocation } from "../../dist/images/backing.js";

const recorded = new URL("../../../../../shared/corpus/backing-strings.json", import.meta.url);

describe("backing strings as libvirt 9.0.0 shows them", () => {
  const answers: Record<string, { xml: { ok: string } }> = existsSync(recorded)
    ? JSON.parse(readFileSync(recorded, "utf8"))
    : {};
  test.skipIf(!existsSync(recorded))("the recording is there (skipped: ../shared/corpus is absent)", () => {
    expect(Object.keys(answers).length).toBeGreaterThan(30);
  });
  test.each(Object.entries(answers))("%s", (string, { xml }) => {
    const [, path, format] = /<backingStore>\s*<path>(.*?)<\/path>\s*<format type='(.*?)'\/>/s.exec(xml.ok) ?? [];
    const location = backingLocation(string, "@WORK@/images");
    expect({ path: location.path, format: location.format ?? "raw" }).toEqual({ path: unescaped(path ?? ""), format });
  });
});

describe("places on this machine", () => {
  test.each([
    ["base.qcow2", "/images/base.qcow2"],
    ["./a:b", "/images/./a:b"],
    ["../other/base", "/images/../other/base"],
    ["/abs/base:1", "/abs/base:1"],
    ['json:{"driver":"qcow2","file":{"driver":"file","filename":"/x"}}', "/x"],
    ['json:{"driver":"qcow2","file.driver":"host_device","file.filename":"/dev/vg/lv"}', "/dev/vg/lv"],
  ])("%s is %s", (string, path) => {
    expect(backingLocation(string, "/images")).toMatchObject({ path, isLocal: true });
  });

  test("a description can say the format", () => {
    const string = 'json:{"driver":"qcow2","file":{"driver":"file","filename":"/x"}}';
    expect(backingLocation(string, "/images").format).toBe("qcow2");
  });
});

describe("everything else is kept word for word, raw", () => {
  test.each(["http://host/x", "file:///x", "rbd:pool/image", "a:b/c", 'json:{"file":"node"}', "json:[1]", "json:null"])(
    "%s",
    (string) => {
      expect(backingLocation(string, "/images")).toEqual({ path: string, isLocal: false, format: "raw" });
    },
  );

  test("JSON of any shape and depth", () => {
    const nested = `json:${'{"file":'.repeat(5_000)}1${"}".repeat(5_000)}`;
    expect(backingLocation(nested, "/images")).toEqual({ path: nested, isLocal: false, format: "raw" });
    fc.assert(
      fc.property(fc.json(), (json) => {
        const location = backingLocation(`json:${json}`, "/images");
        expect(location.isLocal ? location.path.startsWith("/") : true).toBe(true);
      }),
    );
  });
});

function unescaped(text: string): string {
  const entities: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&" };
  return text.replaceAll(/&\w+;/g, (entity) => entities[entity] ?? entity);
}
