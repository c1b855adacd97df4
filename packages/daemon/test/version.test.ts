import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { VERSION } from "../dist/version.js";

it.each(["../package.json", "../../../package.json"])("the version is that of %s", (manifest) => {
  expect(JSON.parse(readFileSync(new URL(manifest, import.meta.url), "utf8")).version).toBe(VERSION);
});
