import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";
import { unawaitedReturns } from "./unawaited-returns.ts";

const root = resolve(import.meta.dirname, "../..");
const DEADLINE_MS = 120_000;

function optionsOf(config: string): ts.CompilerOptions {
  const { config: read } = ts.readConfigFile(config, ts.sys.readFile);
  return ts.parseJsonConfigFileContent(read, ts.sys, resolve(config, "..")).options;
}

it("no function returns a promise while something it uses is put away", { timeout: DEADLINE_MS }, () => {
  const places = ["packages/*/src/**/*", "packages/*/test/**/*", "tests/**/*", "examples/**/*"];
  const files = ts.sys.readDirectory(root, [".ts"], ["**/node_modules", "**/dist"], places);
  const program = ts.createProgram(files, optionsOf(join(root, "tests/tsconfig.json")));
  expect(files.length).toBeGreaterThan(700);
  expect(unawaitedReturns(program, root, (file) => !file.includes("/node_modules/"))).toEqual([]);
});

it("each way to do so is found", { timeout: DEADLINE_MS }, () => {
  const directory = mkdtempSync(join(root, "tests/house/returns-"));
  try {
    const file = join(directory, "source.ts");
    writeFileSync(
      file,
      `declare function open(): Promise<AsyncDisposable & Disposable & { read(): Promise<string>; close(): void }>;
       export async function one() { await using file = await open(); return file.read(); }
       export async function two() { using file = await open(); return file === null ? "" : file.read(); }
       export async function three() { const file = await open(); try { return (file.read()); } finally { file.close(); } }
       export async function four() { await using file = await open(); return await file.read(); }
       export async function five() { await using file = await open(); return () => { return file.read(); }; }
       export async function six() { const file = await open(); return file.read(); }
       export async function before(at: number) { if (at === 0) return open(); await using file = await open(); return null; }
       export async function seven() { await using file = await open(); return String(file); }\n`,
    );
    const program = ts.createProgram([file], optionsOf(join(root, "tests/tsconfig.json")));
    const found = unawaitedReturns(program, directory, (each) => each === file);
    expect(found.map((text) => text.split(" ")[0])).toEqual(["source.ts:2", "source.ts:3", "source.ts:4"]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
