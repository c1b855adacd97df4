import { expect, test } from "vitest";
import { runCommand } from "../../dist/drivers/shared/run-command.js";
import { testHosts } from "../host/support.ts";
import { errorOf } from "./laboratory.js";

/** What a person reads of a program that did not do what it was to do. */

const hosts = testHosts();

test("one that fails: its line, how it ended and what it said", async () => {
  const command = { program: "sh", args: ["-c", "echo no such disk >&2; exit 3"] };
  expect(await errorOf(runCommand(hosts.local, command))).toMatch(
    /^1\/0 internal error: Child process \(.*no such disk.*\) unexpected exit status 3: no such disk/,
  );
});

test("one that does not end in time: its line, and how long it was given", async () => {
  const command = { program: "sleep", args: ["60", { unshown: "1" }] };
  const error = await errorOf(runCommand(hosts.local, command, { timeoutMs: 100 }));
  expect(error).toMatch(/^38\/0 .*sleep 60" did not end within 100 ms: Connection timed out$/);
});

test("one that is not there", async () => {
  expect(await errorOf(runCommand(hosts.local, { program: "no-such-program", args: [] }))).toMatch(
    /^38\/0 Cannot find 'no-such-program' in path/,
  );
});
