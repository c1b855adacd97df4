import { expect, test } from "vitest";
import { SCRUB_PATTERNS, scrub } from "../../dist/tools/scrub.js";

test("libvirt's algorithm numbers are scrub's patterns; zero and trim are done without it", () => {
  expect(Object.entries(SCRUB_PATTERNS)).toEqual([
    ["0", null],
    ["1", "nnsa"],
    ["2", "dod"],
    ["3", "bsi"],
    ["4", "gutmann"],
    ["5", "schneier"],
    ["6", "pfitzner7"],
    ["7", "pfitzner33"],
    ["8", "random"],
    ["9", null],
  ]);
});

test("the command line", () => {
  const file = { path: "/P/v" } as never;
  expect(scrub("dod", file, "v")).toEqual({ program: "scrub", args: ["-f", "-p", "dod", { file, name: "v" }] });
});
