import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOfName, bytesOfText, hasEscapedBytes, textOfBytes, textOfLatin1 } from "../../dist/host/names.js";

describe("names as bytes", () => {
  it.each([
    ["plain", "disk.img", [..."disk.img"].map((character) => character.charCodeAt(0))],
    ["UTF-8", "é", [0xc3, 0xa9]],
    ["beyond the basic plane", "💾", [0xf0, 0x9f, 0x92, 0xbe]],
    ["a lone byte", "\udcff", [0xff]],
    ["a cut-off character", "a\udcc3", [0x61, 0xc3]],
    ["an overlong encoding", "\udcc0\udcaf", [0xc0, 0xaf]],
    ["an encoded surrogate", "\udced\udca0\udc80", [0xed, 0xa0, 0x80]],
    ["beyond U+10FFFF", "\udcf4\udc90\udc80\udc80", [0xf4, 0x90, 0x80, 0x80]],
    ["bytes between characters", "é\udcfeé", [0xc3, 0xa9, 0xfe, 0xc3, 0xa9]],
  ])("%s", (_, name, bytes) => {
    expect([...bytesOfText(name)]).toEqual(bytes);
    expect(textOfBytes(Buffer.from(bytes))).toBe(name);
  });

  it("has exactly one spelling for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const name = textOfBytes(Buffer.from(bytes));
        expect([...bytesOfText(name)]).toEqual([...bytes]);
        expect(textOfLatin1(Buffer.from(bytes).toString("latin1"))).toBe(name);
        expect(hasEscapedBytes(name)).toBe(Buffer.from(name, "utf8").compare(bytes) !== 0);
      }),
    );
  });

  it.each(["", ".", "..", "a/b", "/", "a\0b"])("refuses %j as a name", (name) => {
    expect(() => bytesOfName(name)).toThrow(expect.objectContaining({ code: "EINVAL" }));
  });

  it("refuses half a character, which no file can be named", () => {
    expect(() => bytesOfName("\ud83d")).toThrow(expect.objectContaining({ code: "EILSEQ" }));
    expect(() => bytesOfName("\udc00")).toThrow(expect.objectContaining({ code: "EILSEQ" }));
  });
});
