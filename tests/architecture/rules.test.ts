import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

// Each rule of .dependency-cruiser.cjs is proved on one tree in which it is broken; a second tree breaks none.

const projectRoot = resolve(import.meta.dirname, "../..");

interface Violation {
  readonly rule: string;
  readonly from: string;
  readonly to: string;
}

/** What every tree holds: manifests, built doors of the packages, and one file in each room. */
const ROOMS = [
  "access",
  "attachments",
  "config",
  "drivers",
  "host",
  "http",
  "images",
  "jobs",
  "logging",
  "monitoring",
  "parsing",
  "pools",
  "rpc",
  "secrets",
  "tools",
  "volumes",
];
const SIBLINGS: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  documents: [],
  client: ["protocol", "documents"],
  cli: ["client"],
  daemon: ["protocol", "documents", "client"],
};
const COMMON: Readonly<Record<string, string>> = {
  "package.json": JSON.stringify({
    name: "fixture",
    type: "module",
    workspaces: ["packages/*"],
    devDependencies: { testtool: "1.0.0" },
  }),
  ...Object.fromEntries(
    Object.entries(SIBLINGS).flatMap(([name, siblings]) => [
      [
        `packages/${name}/package.json`,
        JSON.stringify({
          name: `@cistern/${name}`,
          type: "module",
          exports: { ".": "./dist/index.js" },
          dependencies: Object.fromEntries(siblings.map((sibling) => [`@cistern/${sibling}`, "0.1.0"])),
        }),
      ],
      [`packages/${name}/dist/index.js`, "export const door = 1;"],
      [`packages/${name}/dist/deep.js`, "export const deep = 1;"],
      [`packages/${name}/src/index.ts`, "export {};"],
    ]),
  ),
  ...Object.fromEntries(ROOMS.map((room) => [`packages/daemon/src/${room}/inside.ts`, "export const inside = 1;"])),
  "packages/daemon/src/jobs/job.ts": "export interface Job { readonly done: boolean }",
  "packages/daemon/src/limits.ts": "export const LIMIT = 1;",
  "packages/daemon/src/main.ts": "export const main = 1;",
  ...Object.fromEntries(
    ["testtool", "undeclared", "koffi"].flatMap((name) => [
      [`node_modules/${name}/package.json`, JSON.stringify({ name, version: "1.0.0", main: "index.js" })],
      [`node_modules/${name}/index.js`, "module.exports = {};"],
    ]),
  ),
};

/** One broken arrow per row: the rule that must see it, the file, and what it imports. */
const BROKEN: readonly (readonly [rule: string, file: string, imports: string])[] = [
  ["package-protocol", "packages/protocol/src/a.ts", "@cistern/documents"],
  ["package-documents", "packages/documents/src/a.ts", "@cistern/protocol"],
  ["package-client", "packages/client/src/a.ts", "@cistern/daemon"],
  ["package-cli", "packages/cli/src/a.ts", "@cistern/daemon"],
  ["package-daemon", "packages/daemon/src/rpc/a.ts", "@cistern/cli"],
  ["declared-siblings-cli", "packages/cli/src/b.ts", "@cistern/documents"],
  ["declared-siblings-protocol", "packages/protocol/src/b.ts", "@cistern/client"],
  ["declared-siblings-documents", "packages/documents/src/b.ts", "@cistern/client"],
  ["declared-siblings-client", "packages/client/src/b.ts", "@cistern/cli"],
  ["declared-siblings-daemon", "packages/daemon/src/rpc/b.ts", "@cistern/cli"],
  ["known-package", "packages/web/src/a.ts", "node:path"],
  ["known-room", "packages/daemon/src/drawer/a.ts", "node:path"],
  ["only-main-knows-everybody", "packages/daemon/src/helper.ts", "./rpc/inside.js"],
  ["nobody-knows-main", "packages/daemon/src/http/main-user.ts", "../main.js"],
  ["room-host", "packages/daemon/src/host/a.ts", "../jobs/inside.js"],
  ["room-tools", "packages/daemon/src/tools/a.ts", "../drivers/inside.js"],
  ["room-images", "packages/daemon/src/images/a.ts", "../tools/inside.js"],
  ["room-jobs", "packages/daemon/src/jobs/a.ts", "../pools/inside.js"],
  ["room-drivers", "packages/daemon/src/drivers/a.ts", "../pools/inside.js"],
  ["room-drivers", "packages/daemon/src/drivers/b.ts", "../jobs/inside.js"],
  ["room-drivers", "packages/daemon/src/drivers/c.ts", "../rpc/inside.js"],
  ["room-access", "packages/daemon/src/access/a.ts", "../rpc/inside.js"],
  ["room-parsing", "packages/daemon/src/parsing/a.ts", "../pools/inside.js"],
  ["room-secrets", "packages/daemon/src/secrets/a.ts", "../access/inside.js"],
  ["room-pools", "packages/daemon/src/pools/a.ts", "../rpc/inside.js"],
  ["room-volumes", "packages/daemon/src/volumes/a.ts", "../tools/inside.js"],
  ["room-attachments", "packages/daemon/src/attachments/a.ts", "../rpc/inside.js"],
  ["room-rpc", "packages/daemon/src/rpc/c.ts", "../drivers/inside.js"],
  ["room-http", "packages/daemon/src/http/a.ts", "../rpc/inside.js"],
  ["room-config", "packages/daemon/src/config/a.ts", "../host/inside.js"],
  ["room-logging", "packages/daemon/src/logging/a.ts", "../rpc/inside.js"],
  ["room-monitoring", "packages/daemon/src/monitoring/a.ts", "../pools/inside.js"],
  ["storage-only-through-host", "packages/daemon/src/pools/b.ts", "node:fs/promises"],
  ["storage-only-through-host", "packages/daemon/src/tools/b.ts", "node:child_process"],
  ["storage-only-through-host", "packages/daemon/src/access/b.ts", "koffi"],
  ["storage-only-through-host", "packages/daemon/src/rpc/d.ts", "node:fs/promises"],
  ["threads-only-where-named", "packages/daemon/src/tools/c.ts", "node:worker_threads"],
  ["sockets-only-at-the-doors", "packages/daemon/src/pools/c.ts", "node:net"],
  ["no-node-modules-in-pure-packages", "packages/protocol/src/c.ts", "node:buffer"],
  ["no-node-modules-in-pure-packages", "packages/documents/src/c.ts", "node:fs"],
  ["protocol-has-no-dependencies", "packages/protocol/src/d.ts", "koffi"],
  ["client-reaches-out-through-transports", "packages/client/src/c.ts", "node:net"],
  ["public-door", "packages/cli/src/c.ts", "../../client/dist/deep.js"],
  ["src-does-not-see-its-build", "packages/client/src/d.ts", "../dist/index.js"],
  ["declared", "packages/client/src/e.ts", "undeclared"],
  ["declared", "packages/client/test/a.test.ts", "undeclared"],
  ["test-tools-stay-in-tests", "packages/client/src/f.ts", "testtool"],
  ["examples-see-what-users-see", "examples/a.ts", "@cistern/protocol"],
  ["examples-see-what-users-see", "examples/b.ts", "../packages/client/dist/deep.js"],
  ["scripts-need-only-node", "scripts/a.mjs", "testtool"],
  ["resolvable", "packages/client/src/g.ts", "./nowhere.js"],
  ["no-cycles", "packages/client/src/cycle-a.ts", "./cycle-b.js"],
];

/** Arrows that may be followed, a few per room: a rule that forbids too much shows here. */
const ALLOWED: readonly (readonly [file: string, imports: string])[] = [
  ["packages/client/src/a.ts", "@cistern/protocol"],
  ["packages/client/src/transports/unix.ts", "node:net"],
  ["packages/client/test/a.test.ts", "testtool"],
  ["packages/client/test/b.test.ts", "../dist/deep.js"],
  ["packages/cli/src/a.ts", "@cistern/client"],
  ["packages/daemon/src/rpc/a.ts", "../volumes/inside.js"],
  ["packages/daemon/src/rpc/b.ts", "node:net"],
  ["packages/daemon/src/volumes/a.ts", "../pools/inside.js"],
  ["packages/daemon/src/pools/a.ts", "../drivers/inside.js"],
  ["packages/daemon/src/drivers/a.ts", "../tools/inside.js"],
  ["packages/daemon/src/drivers/b.ts", "../jobs/job.js"],
  ["packages/daemon/src/drivers/c.ts", "../limits.js"],
  ["packages/daemon/src/tools/a.ts", "../host/inside.js"],
  ["packages/daemon/src/host/a.ts", "koffi"],
  ["packages/daemon/src/host/b.ts", "node:fs"],
  ["packages/daemon/src/config/a.ts", "node:fs"],
  ["packages/daemon/src/main.ts", "./rpc/a.js"],
  ["examples/a.ts", "@cistern/client"],
  ["examples/b.ts", "node:path"],
  ["scripts/a.mjs", "node:fs"],
  ["tests/area/a.test.ts", "@cistern/client"],
];

describe("the arrows", () => {
  let broken: readonly Violation[] = [];
  let allowed: readonly Violation[] = [];
  const trees: string[] = [];

  beforeAll(async () => {
    const brokenTree = makeTree(
      BROKEN.map(([, file, imports]) => [file, imports] as const),
      { "packages/client/src/cycle-b.ts": 'import "./cycle-a.js";' },
    );
    const allowedTree = makeTree(ALLOWED, { "packages/daemon/package.json": daemonDeclaring("koffi") });
    trees.push(brokenTree, allowedTree);
    [broken, allowed] = await Promise.all([violations(brokenTree), violations(allowedTree)]);
  });
  afterAll(() => {
    for (const tree of trees) rmSync(tree, { recursive: true, force: true });
  });

  it.each(BROKEN)("%s is broken by %s importing %s", (rule, file) => {
    expect(broken.filter((violation) => violation.from === file).map((violation) => violation.rule)).toContain(rule);
  });

  it("the arrows that may be followed break no rule", () => {
    expect(allowed).toEqual([]);
  });

  it("every rule is broken by at least one row above", async () => {
    const { default: configuration } = await import(join(projectRoot, ".dependency-cruiser.cjs"));
    const names: string[] = configuration.forbidden.map((rule: { name: string }) => rule.name);
    const proved = new Set(BROKEN.map(([rule]) => rule));
    expect(names.filter((name) => !proved.has(name))).toEqual([]);
  });
});

function daemonDeclaring(dependency: string): string {
  return JSON.stringify({
    name: "@cistern/daemon",
    type: "module",
    exports: { ".": "./dist/index.js" },
    dependencies: { "@cistern/protocol": "0.1.0", "@cistern/documents": "0.1.0", [dependency]: "1.0.0" },
  });
}

function makeTree(
  imports: readonly (readonly [file: string, imports: string])[],
  overrides: Readonly<Record<string, string>> = {},
): string {
  const tree = mkdtempSync(join(tmpdir(), "cistern-arrows-"));
  const files: Record<string, string> = { ...COMMON, ...overrides };
  for (const [file, imported] of imports) files[file] = `import ${JSON.stringify(imported)};\nexport {};\n`;
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, file)), { recursive: true });
    writeFileSync(join(tree, file), content);
  }
  mkdirSync(join(tree, "node_modules/@cistern"), { recursive: true });
  for (const name of Object.keys(SIBLINGS)) {
    symlinkSync(join("../../packages", name), join(tree, "node_modules/@cistern", name));
  }
  mkdirSync(join(tree, "tests"), { recursive: true });
  return tree;
}

async function violations(tree: string): Promise<readonly Violation[]> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      join(projectRoot, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs"),
      ...["--config", join(projectRoot, ".dependency-cruiser.cjs"), "--output-type", "json"],
      ...["packages", "tests", "scripts", "examples"],
    ],
    { cwd: tree, maxBuffer: 64 * 1024 * 1024, timeout: 60_000 },
  ).catch((error: { stdout?: string; stderr?: string }) => {
    // Its exit status is the number of violations; anything else has no JSON.
    if (error.stdout?.startsWith("{")) return { stdout: error.stdout };
    throw error;
  });
  const report = JSON.parse(stdout) as {
    summary: { violations: readonly { from: string; to: string; rule: { name: string } }[] };
  };
  return report.summary.violations.map(({ from, to, rule }) => ({ from, to, rule: rule.name }));
}
