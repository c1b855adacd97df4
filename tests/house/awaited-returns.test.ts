import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { unawaitedReturns } from "../support/awaited-returns.js";

const root = resolve(import.meta.dirname, "../..");
// Three compilations.
const DEADLINE_MS = 120_000;

it("no function closes what a promise that it returns still uses, or loses its failure", {
  timeout: DEADLINE_MS,
}, () => {
  const projects = ["packages/client", "packages/cli", "packages/daemon", "tests"];
  const seen = projects.map((project) => unawaitedReturns(join(root, project, "tsconfig.json")));
  for (const { files } of seen) expect(files).toBeGreaterThan(10);
  expect(seen.flatMap(({ found }) => found)).toEqual([]);
});

it("one that does is found", { timeout: DEADLINE_MS }, () => {
  const project = mkdtempSync(join(tmpdir(), "returns-"));
  try {
    symlinkSync(join(root, "node_modules"), join(project, "node_modules"));
    const options = { target: "es2023", lib: ["es2023", "esnext.disposable"], types: ["node"], module: "nodenext" };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions: options, include: ["*.ts"] }));
    writeFileSync(join(project, "returns.ts"), RETURNS);
    const { found } = unawaitedReturns(join(project, "tsconfig.json"));
    expect(found.map((place) => place.replace(/^.*:(\d+): /, "$1 "))).toEqual([
      "3 return file.readFile();",
      "7 return file.readFile();",
      "11 return open(path);",
      "15 return open(path);",
    ]);
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
});

const RETURNS = `import { open } from "node:fs/promises";
async function afterUsing(path: string) { await using file = await open(path);
  return file.readFile();
}
async function deeper(path: string) { await using file = await open(path);
  if (path !== "") {
  return file.readFile();
  } return null; }
async function caught(path: string) {
  try {
  return open(path);
  } catch { return null; } }
async function finished(path: string) {
  try { return null; } catch {
  return open(path);
  } finally { await open(path); } }
async function right(path: string) { await using file = await open(path);
  try { return await file.readFile(); } catch { return open(path).then(() => 1, () => 2).constructor.name; } }
async function plain(path: string) { return open(path); }
async function inner(path: string) { await using file = await open(path); file.fd;
  const later = () => { return open(path); }; return await later(); }
export { afterUsing, deeper, caught, finished, right, plain, inner };
`;
