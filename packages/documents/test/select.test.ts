import { describe, expect, it } from "vitest";
import { copyOfVolume, selectNodes, wrapNodes } from "../dist/index.js";

const xml = `<volume type='file'>
  <name>a &amp; b</name>
  <target>
    <path>/a &amp; b</path>
    <format type='qcow2'/>
  </target>
</volume>
`;
const backing = "  <backingStore>\n    <path>/base</path>\n  </backingStore>\n";

describe("parts of a document", () => {
  it.each([
    ["//name", ["<name>a &amp; b</name>"]],
    ["//name/text()", ["a &amp; b"]],
    ["//@type", [' type="file"', ' type="qcow2"']],
    ["//format|//path", ["<path>/a &amp; b</path>", '<format type="qcow2"/>']],
    ["//target", ['<target>\n  <path>/a &amp; b</path>\n  <format type="qcow2"/>\n</target>']],
    ["//nothing", []],
  ])("%s", (xpath, nodes) => {
    expect(selectNodes(xml, xpath)).toEqual(nodes);
  });

  it.each(["//[", "count(//*)"])("%s is refused", (xpath) => {
    expect(() => selectNodes(xml, xpath)).toThrow(/XPath/);
  });

  it("stand together in one document", () => {
    expect(wrapNodes(selectNodes(xml, "//target"))).toBe(
      '<nodes>\n  <target>\n    <path>/a &amp; b</path>\n    <format type="qcow2"/>\n  </target>\n</nodes>\n',
    );
    expect(wrapNodes([' type="a"', "<b/>"])).toBe('<nodes type="a">\n  <b/>\n</nodes>\n');
  });
});

it("a copy's document has another name and all else as it was", () => {
  const overlay = xml.replace("</volume>", `${backing}</volume>`);
  expect(copyOfVolume(overlay, "c <d>")).toBe(
    overlay.replace("a &amp; b</name>", "c &lt;d&gt;</name>").replaceAll("'", '"'),
  );
});

it("a copy in another format has all the content, so it rests on nothing", () => {
  const overlay = xml
    .replace("</target>", "  <compat>1.1</compat>\n  </target>")
    .replace("</volume>", `${backing}</volume>`);
  const copy = copyOfVolume(overlay, "c", "raw");
  expect(copy).toBe(xml.replace("a &amp; b</name>", "c</name>").replace("qcow2", "raw").replaceAll("'", '"'));
});
