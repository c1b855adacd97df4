import { defineConfig } from "vitest/config";
import { findSuites, SLOW_FILES } from "./scripts/suites.mjs";

const leftOut = process.env["CISTERN_TEST_EFFORT"] === "fast" ? Object.keys(SLOW_FILES) : [];

// Tests run what ships: they import the compiled packages from dist/, so `tsc -b` comes first (npm test does it).
export default defineConfig({
  test: {
    projects: findSuites(import.meta.dirname).map(({ name, include }) => ({
      test: {
        name,
        include: [include],
        exclude: leftOut,
        testTimeout: 30_000,
        hookTimeout: 60_000,
      },
    })),
  },
});
