import { defineConfig } from "vitest/config";
import { findSuites } from "./scripts/suites.mjs";

// Tests run what ships: they import the compiled packages from dist/, so `tsc -b` comes first (npm test does it).
export default defineConfig({
  test: {
    projects: findSuites(import.meta.dirname).map(({ name, include }) => ({
      test: {
        name,
        include: [include],
        testTimeout: 30_000,
        hookTimeout: 60_000,
      },
    })),
  },
});
