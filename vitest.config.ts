import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { findSuites, SLOW_FILES } from "./scripts/suites.mjs";

const leftOut = process.env["CISTERN_TEST_EFFORT"] === "fast" ? Object.keys(SLOW_FILES) : [];
const inGuest = process.env["CISTERN_LAB_LANE"] !== undefined;
const SUMMARY = join(import.meta.dirname, "tests/support/reporter.ts");

// Tests run what ships: they import the compiled packages from dist/, so `tsc -b` comes first (npm test does it).
export default defineConfig({
  test: {
    // A guest's output looks like a terminal, on which vitest would draw its progress anew every second.
    reporters: inGuest ? [["default", { summary: false }], SUMMARY] : ["default"],
    // One process less to start, which takes long in a guest; its one test file needs no second one.
    ...(inGuest ? { pool: "threads" as const } : {}),
    projects: findSuites(import.meta.dirname).map(({ name, include }) => ({
      test: {
        name,
        include: [include],
        exclude: leftOut,
        // Programs start five times slower in a guest, and several guests share the machine.
        testTimeout: inGuest ? 120_000 : 30_000,
        hookTimeout: inGuest ? 240_000 : 60_000,
      },
    })),
  },
});
