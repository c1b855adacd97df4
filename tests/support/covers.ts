import { TestRunner } from "vitest";
import type { OPERATIONS } from "../../scripts/steps/pool-types.mjs";

export type CoveredOperation = (typeof OPERATIONS)[number];

/** "real": on the real storage. "commands": programs were stood in for, or their output was recorded. */
export type Nearness = "real" | "commands";

declare module "vitest" {
  interface TaskMeta {
    /** As `<pool type> <operation> <nearness>`. */
    covers?: string[];
  }
}

/**
 * Says that the running test drives operations of a pool type. It counts when the test passes: the reporter tells it, and
 * docs/pool-types.md is made from it.
 */
export function covers(type: string, nearness: Nearness, ...operations: readonly CoveredOperation[]): void {
  const test = TestRunner.getCurrentTest();
  if (test === undefined) throw new Error("covers() is called in a test, which has to pass for it to count");
  test.meta.covers = [...(test.meta.covers ?? []), ...operations.map((each) => `${type} ${each} ${nearness}`)];
}
