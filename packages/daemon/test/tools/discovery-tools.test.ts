import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { listVolumes, parseVolumes } from "../../dist/tools/gluster.js";
import { parseExports, showExports } from "../../dist/tools/showmount.js";

const recorded = (name: string) => readFileSync(new URL(`./recorded/${name}`, import.meta.url), "utf8");

describe("showmount", () => {
  test("the command line", () => {
    expect(showExports("srv")).toEqual({ program: "showmount", args: ["--no-headers", "--exports", "srv"] });
  });

  test("a server's exports, in its order; one with a blank", () => {
    expect(parseExports(recorded("showmount/exports.txt"))).toEqual(["/b dir", "/seen", "/squashed", "/open"]);
  });

  test("a heading is none", () => {
    expect(parseExports(recorded("showmount/headers.txt"))).toEqual(["/b dir", "/seen", "/squashed", "/open"]);
  });

  test.each([
    ["", []],
    ["\n\n", []],
    ["/ *\n", []],
    ["/a", []],
    ["/a *", ["/a"]],
    ["/a\t*\n", []],
    ["relative *\n", []],
    ["/a (everyone)\n/b    *\n", ["/a", "/b"]],
    ["/a *\r\n", []],
    ["/<&>\u0000 x\n", ["/<&>\u0000"]],
    [`${"/".repeat(100_000)} *`, ["/".repeat(100_000)]],
    [" ".repeat(100_000), []],
    [`/${" ".repeat(100_000)}`, []],
  ])("odd output %#", (output, directories) => {
    expect(parseExports(output)).toEqual(directories);
  });
});

describe("gluster", () => {
  test("the command line", () => {
    const args = ["--xml", "--log-file=/dev/null", "volume", "info", "all", "--remote-host=srv"];
    expect(listVolumes("srv")).toEqual({ program: "gluster", args });
  });

  test("volumes of a server, and no names of bricks or options", () => {
    expect(parseVolumes(recorded("gluster/volumes.xml"))).toEqual(["gv0", "gv1"]);
  });

  test.each([
    [recorded("gluster/unreachable.txt"), []],
    ["", []],
    ["<cliOutput><volInfo><volumes><count>0</count></volumes></volInfo></cliOutput>", []],
    ["<volume><name></name>", []],
    ["<volume><id>1</id><name>x</name></volume>", []],
    ["<volume><name>a&amp;b&lt;&#99;</name></volume>", ["a&b<&#99;"]],
    ["<volume>".repeat(20_000), []],
    [`<volume>${" ".repeat(100_000)}`, []],
  ])("odd output %#", (output, names) => {
    expect(parseVolumes(output)).toEqual(names);
  });
});
