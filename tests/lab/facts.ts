import { appendFileSync, existsSync, readFileSync } from "node:fs";

/** What `npm test` reads: the same lines that tests/support/reporter.ts writes, which is what a guest leaves behind. */
export type Fact = Readonly<Record<string, string>> & { readonly kind: "test" | "broken" | "count" };

export function readFacts(path: string): readonly Fact[] {
  if (!existsSync(path)) return [];
  const complete = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return complete.map((line) => JSON.parse(line) as Fact);
}

/** Adds to the file that CISTERN_TEST_RESULTS names, when somebody is to read it. */
export function report(facts: readonly Fact[]): void {
  const path = process.env["CISTERN_TEST_RESULTS"];
  if (path === undefined) return;
  for (const fact of facts) appendFileSync(path, `${JSON.stringify({ suite: "lab", ...fact })}\n`);
}
