import { encodeXdr, JOB_DOORS, JOB_KINDS, JOB_STATES, LIMITS, LibvirtError, wireJob } from "@cistern/protocol";
import { expect, it } from "vitest";
import * as facts from "../../dist/jobs/job-facts.js";
import { toWireJob } from "../../dist/rpc/wire-job.js";

const job: facts.JobFacts = {
  id: 7,
  kind: "clone",
  pool: "images",
  volume: "b.qcow2",
  source: "images/a.qcow2",
  title: "clone volume 'b.qcow2' of pool 'images' from 'images/a.qcow2'",
  requester: { door: "rpc", userId: 0, processId: 4711, client: 3 },
  state: "running",
  createdAt: new Date(1_800_000_000_000),
  startedAt: new Date(1_800_000_000_500),
  endedAt: null,
  doneBytes: 10n,
  totalBytes: 100n,
  bytesPerSecond: 5.4,
  remainingSeconds: 18,
  bandwidthBytesPerSecond: null,
  way: "reflink",
  remarks: ["Old blocks may survive."],
  error: null,
};

it("a job travels with all its facts", () => {
  expect(toWireJob(job)).toEqual({
    id: 7n,
    kind: 1,
    state: 1,
    pool: "images",
    volume: "b.qcow2",
    source: "images/a.qcow2",
    title: job.title,
    requester: { door: 0, userId: 0, processId: 4711, client: 3n },
    created: 1_800_000_000_000_000n,
    started: 1_800_000_000_500_000n,
    ended: 0n,
    doneBytes: 10n,
    totalBytes: 100n,
    bytesPerSecond: 5n,
    remainingSeconds: 18n,
    bandwidthBytesPerSecond: 0n,
    way: "reflink",
    remarks: ["Old blocks may survive."],
    error: null,
  });
});

it("what is not known is said as such", () => {
  const unknown = {
    ...job,
    volume: null,
    source: null,
    requester: facts.DAEMON_REQUESTER,
    startedAt: null,
    remainingSeconds: null,
    way: null,
  };
  expect(toWireJob(unknown)).toMatchObject({
    volume: null,
    source: null,
    requester: { door: 2, userId: null, processId: null, client: 0n },
    started: 0n,
    remainingSeconds: -1n,
    way: null,
  });
});

it.each([
  ["names and sentences of megabytes", { volume: "€".repeat(2_000_000), title: "x".repeat(5_000_000) }],
  ["texts with NULs", { pool: "a\0b", way: "a\0b", error: new Error("a\0b") }],
  ["more remarks than travel", { remarks: Array.from({ length: 100 }, (_, index) => "x".repeat(9_999) + index) }],
  ["numbers that are none", { bytesPerSecond: Number.NaN, remainingSeconds: Number.POSITIVE_INFINITY }],
  ["numbers below zero", { bytesPerSecond: -5, remainingSeconds: -1, doneBytes: -1n, totalBytes: -1n }],
  ["dates that are none", { createdAt: new Date(Number.NaN), endedAt: new Date(-5) }],
  ["a failure that is no libvirt error", { error: new TypeError("x".repeat(5_000_000)) }],
] as const)("%s can be sent all the same, in little space", (_what, changes) => {
  const bytes = encodeXdr(wireJob, toWireJob({ ...job, ...changes }));
  expect(bytes.length).toBeLessThan((LIMITS.jobRemarks + 10) * LIMITS.jobTextBytes);
});

it("a failure keeps its libvirt code", () => {
  const error = LibvirtError.of(90, 18, "'b'");
  expect(toWireJob({ ...job, error }).error).toEqual({ code: 90, domain: 18, message: error.message });
});

it("kinds and states keep their numbers on the wire: what is new comes last", () => {
  const kinds = "create clone convert resize wipe upload download delete build refresh start";
  expect(JOB_KINDS).toEqual(kinds.split(" "));
  expect(JOB_STATES).toEqual("queued running cancelling done failed cancelled interrupted".split(" "));
  expect(JOB_DOORS).toEqual(["rpc", "http", "daemon"]);
});
