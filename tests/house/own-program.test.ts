import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cistern, cisternEvents } from "@cistern/protocol";
import { expect, it } from "vitest";

const PAGE = readFileSync(join(import.meta.dirname, "../../docs/reference/own-program.md"), "utf8");

it("the page about Cistern's own program has every procedure and message, by its number, and says which need to write", () => {
  const rows = [...PAGE.matchAll(/^\| (\d+) \| ([A-Z_]+)(?: \(a message\))? \|.*\| *(yes|no|) *\|$/gm)].map(
    ([, number, name, readOnly]) => ({ number: Number(number), name, readOnly }),
  );
  const procedures = Object.values(cistern).map(({ number, name, requiresWrite }) => ({
    number,
    name,
    readOnly: requiresWrite ? "no" : "yes",
  }));
  const messages = Object.values(cisternEvents).map(({ number, name }) => ({ number, name, readOnly: "" }));
  expect(rows).toEqual([...procedures, ...messages].sort((a, b) => a.number - b.number));
});
