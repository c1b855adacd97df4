import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const TYPEDOC = join(root, "node_modules/typedoc/bin/typedoc");
const RULES = join(root, "typedoc.json");
const DEADLINE_MS = 100_000;

/** Reads what a project exports by its typedoc.json, and writes nothing. */
function check(options: string): Promise<{ status: number; output: string }> {
  const line = [TYPEDOC, "--options", options, "--emit", "none"];
  return new Promise((done) => {
    execFile(process.execPath, line, { cwd: root, timeout: DEADLINE_MS }, (error, stdout, stderr) => {
      done({ status: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr });
    });
  });
}

it("everything that the client exports has a docstring, and names nothing that is not exported", {
  timeout: DEADLINE_MS,
}, async () => {
  expect(await check(RULES)).toMatchObject({ status: 0 });
});

it("an export without a docstring is found", { timeout: DEADLINE_MS }, async () => {
  const project = await mkdtemp(join(tmpdir(), "docs-"));
  try {
    await symlink(join(root, "node_modules"), join(project, "node_modules"));
    await writeFile(join(project, "tsconfig.json"), '{ "compilerOptions": { "types": [] }, "include": ["*.ts"] }');
    await writeFile(
      join(project, "index.ts"),
      "/** Said. */\nexport const said = 1;\nexport function bare(): void {}\n",
    );
    const options = join(project, "typedoc.json");
    await writeFile(
      options,
      JSON.stringify({ extends: [RULES], entryPoints: ["index.ts"], tsconfig: "tsconfig.json" }),
    );
    const { status, output } = await check(options);
    expect(status).not.toBe(0);
    expect(output).toMatch(/bare .* does not have any documentation/);
    expect(output).not.toMatch(/said .* does not have/);
  } finally {
    await rm(project, { recursive: true, force: true });
  }
});
