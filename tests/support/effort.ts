/** How much work a test run may cost; `npm run test:fast`, `npm test` and `npm run test:long` set it. */
export type Effort = "fast" | "normal" | "long";

export function effort(): Effort {
  const value = process.env["CISTERN_TEST_EFFORT"] ?? "normal";
  if (value === "fast" || value === "normal" || value === "long") return value;
  throw new Error(`CISTERN_TEST_EFFORT is "${value}", but only fast, normal and long are known`);
}

/** Picks a count (property runs, files, connections) by effort. */
export function byEffort<Value>(values: Readonly<Record<Effort, Value>>): Value {
  return values[effort()];
}
