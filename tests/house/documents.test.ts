import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../packages/cli/dist/commands/table.js";

const root = resolve(import.meta.dirname, "../..");
const documents = [
  "README.md",
  "CONTRIBUTING.md",
  "examples/README.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
];
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  scripts: Readonly<Record<string, string>>;
};

describe("documents", () => {
  it.each(documents)("%s leads only to what exists", (document) => {
    const broken = linksOf(document).filter((link) => !existsSync(link.path));
    expect(broken.map(({ written }) => written)).toEqual([]);
  });

  it.each(documents)("%s names only npm scripts that exist", (document) => {
    const names = [...read(document).matchAll(/\bnpm (?:run )?([a-z][a-z:-]*)/g)].flatMap(([words, name = ""]) =>
      words.includes(" run ") || name === "start" || name === "test" ? [name] : [],
    );
    expect(names.filter((name) => !(name in manifest.scripts))).toEqual([]);
  });

  it.each(documents)("%s names only files of the project that exist", (document) => {
    const named = [...read(document).matchAll(/`((?:packages|scripts|tests|docs)\/[\w./-]+\.(?:ts|mjs|json|md|js))`/g)];
    const paths = named.flatMap(([, path]) => path ?? []);
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it.each(documents)("%s names only commands of cistern that exist", (document) => {
    const known = new Set([...COMMANDS.map(({ name }) => name), "COMMAND"]);
    const named = [...read(document).matchAll(/(?:^\$ |`)cistern (?:-\S+ \S+ )*([a-zA-Z][\w-]*)/gm)];
    expect(named.flatMap(([, name]) => name ?? []).filter((name) => !known.has(name))).toEqual([]);
  });

  it("every document under docs/ can be reached from the README", () => {
    const reached = new Set<string>();
    const follow = (document: string) => {
      if (reached.has(document)) return;
      reached.add(document);
      for (const { path } of linksOf(document)) if (path.endsWith(".md")) follow(relative(root, path));
    };
    follow("README.md");
    expect(documents.filter((document) => !reached.has(document))).toEqual([]);
  });

  it("every script of package.json runs a file or program that exists", () => {
    const files = Object.values(manifest.scripts).flatMap((line) => /^exec node (\S+)/.exec(line)?.[1] ?? []);
    expect(files.length).toBeGreaterThan(4);
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });
});

function read(document: string): string {
  return readFileSync(join(root, document), "utf8");
}

/** Relative links of a document, and where they lead. */
function linksOf(document: string): readonly { readonly written: string; readonly path: string }[] {
  return [...read(document).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
    .map(([, written = ""]) => written)
    .filter((written) => !/^[a-z]+:/.test(written))
    .map((written) => ({ written, path: resolve(root, dirname(document), written) }));
}
