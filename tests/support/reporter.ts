import { appendFileSync } from "node:fs";
import type { Reporter, TestCase, TestModule } from "vitest/node";

/**
 * Tells `npm test` what ran: one JSON line per fact in the file that CISTERN_TEST_RESULTS names.
 *
 *   {"kind":"test","suite":…,"name":…,"state":"passed"|"failed"|"skipped","reason":…}
 *       of a failed test: "error", the beginning of what it met
 *       of a passed test that says what it covers (covers.ts): "file", "covers": "zfs pool.build real,…"
 *   {"kind":"broken","suite":…,"name":…}          a file that could not be loaded, a hook that failed
 *   {"kind":"count","suite":…,"text":"vectors: 612 of 612 packets"}
 *
 * A count is a line that a test prints with console.log in the form "<what>: <number> …"; it returns in the summary.
 */
export default class SummaryReporter implements Reporter {
  readonly #path = process.env["CISTERN_TEST_RESULTS"];
  readonly #suite = process.env["CISTERN_TEST_SUITE"] ?? "";

  onTestCaseResult(test: TestCase): void {
    const result = test.result();
    const { covers } = test.meta();
    this.#write({
      kind: "test",
      name: nameOf(test),
      state: result.state,
      ...(result.state === "passed" && covers !== undefined
        ? { file: test.module.relativeModuleId, covers: covers.join(",") }
        : {}),
      ...(result.state === "failed" ? { error: beginningOf(result.errors[0]?.message) } : {}),
      ...(result.state === "skipped" ? { reason: result.note ?? "gives no reason" } : {}),
    });
  }

  onTestModuleEnd(module: TestModule): void {
    // A test inside a failed describe or file may never be asked; the module's own errors say why.
    for (const error of module.errors()) {
      this.#write({ kind: "broken", name: `${module.relativeModuleId}: ${error.message}` });
    }
    for (const suite of module.children.allSuites()) {
      for (const error of suite.errors()) this.#write({ kind: "broken", name: `${suite.fullName}: ${error.message}` });
    }
  }

  onTestRunEnd(_modules: readonly TestModule[], unhandled: readonly { readonly message: string }[]): void {
    for (const error of unhandled) this.#write({ kind: "broken", name: `unhandled: ${error.message}` });
  }

  onUserConsoleLog(log: { readonly content: string; readonly type: "stdout" | "stderr" }): void {
    if (log.type !== "stdout") return;
    for (const line of log.content.split("\n")) {
      if (/^[a-z][\w -]{2,40}: \d/.test(line)) this.#write({ kind: "count", text: line });
    }
  }

  #write(fact: Readonly<Record<string, unknown>>): void {
    if (this.#path !== undefined) appendFileSync(this.#path, `${JSON.stringify({ suite: this.#suite, ...fact })}\n`);
  }
}

function nameOf(test: TestCase): string {
  return `${test.module.relativeModuleId} > ${test.fullName}`;
}

const LONGEST_ERROR = 600;

/** Enough of an error to know what it is about, on one line. */
function beginningOf(message: string | undefined): string | undefined {
  return message?.replaceAll(/\s+/g, " ").slice(0, LONGEST_ERROR);
}
