import { describe, expect, it } from "vitest";
import { summarise } from "../../scripts/steps/results.mjs";

const outcome = { name: "protocol", seconds: 1.25, status: 0, timedOut: false };
const passed = { kind: "test", suite: "protocol", name: "a > b", state: "passed" } as const;
const skipped = { kind: "test", suite: "protocol", name: "a > c", state: "skipped", reason: "needs scrub" } as const;

describe("the closing summary", () => {
  it("gives each suite's seconds and counts, and the lines that suites printed", () => {
    const counted = { kind: "count", suite: "protocol", text: "vectors: 612 of 612 packets" } as const;
    const summary = summarise([outcome], [passed, counted], true);
    expect(summary.passed).toBe(true);
    expect(summary.text).toMatch(/^ {2}protocol +1\.3 s +ok +1 passed, 0 failed, 0 skipped$/m);
    expect(summary.text).toMatch(/^ {2}vectors: 612 of 612 packets$/m);
    expect(summary.text).toMatch(/1 suites in 1\.3 s, 1 tests: 1 passed, 0 failed, 0 skipped\nAll passed\.$/);
  });

  it("names a skipped test with its reason, and lets it pass on a developer's machine", () => {
    const summary = summarise([outcome], [passed, skipped], false);
    expect(summary.text).toContain("protocol: a > c\n      because: needs scrub");
    expect(summary.passed).toBe(true);
  });

  it("says of a failed test what it met, near the end", () => {
    const failed = { ...passed, state: "failed", error: "expected 1 to be 2" } as const;
    const summary = summarise([{ ...outcome, status: 1 }], [failed, passed], true);
    expect(summary.text).toMatch(
      /\nFailed:\n {2}protocol: a > b\n {6}because: expected 1 to be 2\n\n1 suites in .*, 2 tests: 1 passed, 1 failed, 0 skipped\nFAILED: protocol$/,
    );
  });

  it("counts a skipped test as a failure where CI is set", () => {
    const summary = summarise([outcome], [passed, skipped], true);
    expect(summary.passed).toBe(false);
    expect(summary.text).toMatch(/FAILED: 1 skipped$/);
  });

  it.each([
    ["a suite's exit status", [{ ...outcome, status: 1 }], [passed]],
    ["a failed test", [outcome], [{ ...passed, state: "failed" } as const]],
    ["a file that could not be loaded", [outcome], [{ kind: "broken", suite: "protocol", name: "x.test.ts" } as const]],
    ["that nothing was tested", [outcome], []],
  ])("%s fails the run", (_, outcomes, facts) => {
    expect(summarise(outcomes, facts, false).passed).toBe(false);
  });
});
