import type { Job } from "@cistern/client";
import { expect, it } from "vitest";
import { formatJobs } from "../dist/commands/jobs.js";
import { Context } from "../dist/context.js";
import { formatDuration } from "../dist/output/duration.js";
import { JobDisplay } from "../dist/output/job-display.js";
import { formatJobState, formatRequester } from "../dist/output/job-text.js";
import type { Surroundings } from "../dist/surroundings.js";

const GIB = 1024n ** 3n;
const job: Job = {
  id: 7,
  kind: "wipe",
  state: "running",
  pool: "images",
  volume: "a.img",
  source: null,
  title: "wipe volume 'a.img' of pool 'images'",
  requester: { door: "rpc", userId: 0, processId: 4711, client: 3 },
  createdAt: new Date(1_800_000_000_000),
  startedAt: new Date(1_800_000_001_000),
  endedAt: null,
  doneBytes: GIB,
  totalBytes: 4n * GIB,
  bytesPerSecond: GIB / 2n,
  remainingSeconds: 6,
  bandwidthBytesPerSecond: null,
  way: null,
  remarks: [],
  error: null,
};
const queued = {
  state: "queued",
  doneBytes: 0n,
  totalBytes: null,
  bytesPerSecond: 0n,
  remainingSeconds: null,
} as const;
const failed: Job = {
  ...job,
  state: "failed",
  endedAt: new Date(1_800_000_076_000),
  error: { code: 38, domain: 18, message: "cannot write" },
};

it.each([
  [0, "0 s"],
  [0.4, "0 s"],
  [45, "45 s"],
  [60, "1 min"],
  [200, "3 min 20 s"],
  [7_500, "2 h 5 min"],
  [7_205, "2 h"],
  [90_061, "1 d 1 h"],
  [-5, "0 s"],
])("%d seconds are %s", (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

it.each([
  ["what moves", {}, "running, 1.00 GiB of 4.00 GiB (25 %), 512.00 MiB/s, 6 s left"],
  ["of unknown length", { remainingSeconds: null, totalBytes: null }, "running, 1.00 GiB, 512.00 MiB/s"],
  ["not begun", { ...queued }, "queued"],
  ["failed", { ...failed }, "failed, 1.00 GiB of 4.00 GiB (25 %), 512.00 MiB/s, after 1 min 15 s, cannot write"],
  [
    "failed by a program",
    { ...failed, error: { code: 1, domain: 18, message: "cp: no\n" } },
    "failed, 1.00 GiB of 4.00 GiB (25 %), 512.00 MiB/s, after 1 min 15 s, cp: no",
  ],
] as const)("how it stands with a job is said in a line: %s", (_what, changes, text) => {
  expect(formatJobState({ ...job, ...changes })).toBe(text);
});

it("the list of all says with what a job ended, and no more of it than a line has room for", () => {
  const message = `cannot write to\u001b ${"x".repeat(100)}\nand more`;
  const list = formatJobs([job, { ...failed, error: { code: 38, domain: 18, message } }], { all: true, head: true });
  const [head = "", , running = "", last = ""] = list.split("\n");
  expect(head.trimEnd()).toMatch(/Left +Ended +Error$/);
  expect(running).toMatch(/6 s +- +-$/);
  expect(last).toMatch(/2027-01-15T08:01:16Z {3}cannot write to\\x1b x+…$/);
  expect(/cannot.*/.exec(last)?.[0]).toHaveLength(60);
  expect(formatJobs([job], { all: false, head: true })).not.toContain("Error");
});

it("who asked is said with what is known", () => {
  const requested = (requester: Partial<Job["requester"]>): string =>
    formatRequester({ ...job, requester: { ...job.requester, ...requester } });
  expect(requested({})).toBe("user 0, process 4711, client 3");
  expect(requested({ userId: null, processId: null, client: null })).toBe("unknown");
  expect(requested({ door: "http", processId: null, client: null })).toBe("user 0, by http");
  expect(requested({ door: "daemon", userId: null })).toBe("the daemon itself");
});

/** What is written to a terminal of so many columns (null: to something else). */
function shown(columns: number | null, jobs: readonly Job[], json = false): string {
  let written = "";
  const stdout = {
    isTTY: columns !== null,
    columns: columns ?? undefined,
    write: (text: string | Uint8Array) => (written += Buffer.from(text)),
  };
  const display = new JobDisplay(
    new Context({ stdout } as unknown as Surroundings, { output: json ? "json" : "text" }),
  );
  for (const each of jobs) display.show(each);
  display.end();
  return written;
}

it("a terminal has one line that is drawn over, not too often, and the last one stays", () => {
  const written = shown(200, [job, { ...job, doneBytes: 2n * GIB }, failed]);
  expect(written.split("\r\u001b[K")).toEqual([
    "",
    `wipe volume 'a.img' of pool 'images'  [########${" ".repeat(22)}]  1.00 GiB of 4.00 GiB (25 %), 512.00 MiB/s, 6 s left`,
    expect.stringMatching(/^wipe volume 'a.img' of pool 'images': failed, .*cannot write\n$/),
  ]);
});

it("on a narrow terminal the bar and then the name give way, and what is shown cannot command it", () => {
  const [line = ""] = shown(80, [{ ...job, title: "wipe \u001b[2J".repeat(10) }])
    .split("\r\u001b[K")
    .filter((text) => text !== "");
  expect(line).toMatch(/^wipe \\x1b\[2J.*… {2}1\.00 GiB of 4\.00 GiB \(25 %\), 512\.00 MiB\/s, 6 s left$/);
  expect([...line].length).toBeLessThan(80);
  expect(shown(20, [job]).split("\r\u001b[K")[1]?.length).toBe(19);
});

it("elsewhere there is a line for each change of state, and not for each bit of progress", () => {
  const lines = shown(null, [{ ...job, state: "queued" }, job, job, job, failed])
    .trimEnd()
    .split("\n");
  expect(lines.map((line) => /'images': (\w+)/.exec(line)?.[1])).toEqual(["queued", "running", "failed"]);
  expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z {2}wipe volume/);
});

it("JSON has an object for each, also on a terminal", () => {
  const lines = shown(80, [job, job, failed], true).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).state)).toEqual(["running", "running", "failed"]);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ id: 7, createdAt: "2027-01-15T08:00:00.000Z", endedAt: null });
});
