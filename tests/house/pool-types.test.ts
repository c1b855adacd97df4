import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type Coverage,
  cell,
  type DriverRow,
  driverRows,
  mergeCoverage,
  NEVER_RUN,
  OPERATIONS,
  poolTypesDocument,
  readCoverage,
} from "../../scripts/steps/pool-types.mjs";

const root = resolve(import.meta.dirname, "../..");

describe("docs/pool-types.md", () => {
  let rows: DriverRow[];
  const coverage = readCoverage(root);
  const cellsOf = (kind: string) =>
    rows.flatMap((row) =>
      OPERATIONS.filter((operation) => cell(row, operation, coverage).kind === kind).map(
        (operation) => `${row.type} ${operation}`,
      ),
    );
  beforeAll(async () => {
    rows = await driverRows(root);
  });

  it("is what npm run pool-types writes", () => {
    expect(readFileSync(join(root, "docs/pool-types.md"), "utf8")).toBe(poolTypesDocument(rows, coverage));
  });

  it("has no cell that was not run and is not named with its reason", () => {
    expect(cellsOf("missing")).toEqual([]);
  });

  it("gives no reason for what was run after all, or does not exist", () => {
    const named = Object.entries(NEVER_RUN).flatMap(([type, operations]) =>
      Object.keys(operations).map((operation) => `${type} ${operation}`),
    );
    expect(cellsOf("never").sort()).toEqual(named.sort());
  });

  it.each(Object.keys(coverage))("%s is there, and says what it covers", (file) => {
    expect(readFileSync(join(root, file), "utf8")).toMatch(/\b(?:covers|complies)\(/);
  });
});

describe("what a run has shown", () => {
  const passed = (file: string, covers: string) => ({
    kind: "test",
    state: "passed",
    name: `${file} > does it`,
    file,
    covers,
  });
  const known: Coverage = { "a.test.ts": { zfs: { "pool.build": "real" } } };

  it("takes the place of what was known of its file", () => {
    expect(mergeCoverage(known, [passed("a.test.ts", "zfs pool.delete commands,dir pool.build real")])).toEqual({
      "a.test.ts": { dir: { "pool.build": "real" }, zfs: { "pool.delete": "commands" } },
    });
    expect(mergeCoverage(known, [passed("b.test.ts", "zfs pool.scan real")])).toEqual({
      ...known,
      "b.test.ts": { zfs: { "pool.scan": "real" } },
    });
  });

  it.each([
    { kind: "test", state: "failed", name: "a.test.ts > another" },
    { kind: "test", state: "skipped", name: "a.test.ts > another" },
    { kind: "broken", name: "a.test.ts: does not load" },
  ])("is nothing where the file did not pass as a whole: $kind $state", (fact) => {
    expect(mergeCoverage(known, [passed("a.test.ts", "zfs pool.delete real"), fact])).toEqual(known);
  });

  it("is real when one of its tests is", () => {
    const facts = [passed("c.test.ts", "zfs pool.scan real"), passed("c.test.ts", "zfs pool.scan commands")];
    expect(mergeCoverage({}, facts)).toEqual({ "c.test.ts": { zfs: { "pool.scan": "real" } } });
  });
});

describe("a cell", () => {
  const row: DriverRow = { type: "zfs", operations: new Set(["pool.build"]) };
  const onlyCommands: Coverage = { "a.test.ts": { zfs: { "pool.build": "commands" } } };
  const real: Coverage = { ...onlyCommands, "b.test.ts": { zfs: { "pool.build": "real" } } };

  it.each([
    ["nothing the driver has", "pool.start", real, "none"],
    ["the nearest of all files", "pool.build", real, "real"],
    ["commands alone", "pool.build", onlyCommands, "commands"],
    ["never run", "pool.build", {}, "missing"],
  ] as const)("%s", (_, operation, coverage, kind) => {
    expect(cell(row, operation, coverage, {}).kind).toBe(kind);
  });

  it("never run, with a reason", () => {
    const neverRun = { zfs: { "pool.build": "nobody has the disks" } };
    expect(cell(row, "pool.build", {}, neverRun)).toEqual({ kind: "never", reason: "nobody has the disks" });
    const document = poolTypesDocument([row, { type: "fs", operations: null }], {}, neverRun);
    expect(document).toContain("| zfs | never (1) | – |");
    expect(document).toContain("1. nobody has the disks");
    expect(document).toContain("## Without a driver\n\nfs.");
    expect(poolTypesDocument([row], {}, {})).toContain("| zfs | **MISSING** |");
  });
});
