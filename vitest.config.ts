import { defineConfig } from "vitest/config";

// Tests run what ships: they import the compiled packages from dist/, so `tsc -b` comes first (npm test does it).
export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.test.ts", "tests/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
