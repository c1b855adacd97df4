import { describe, expect, it } from "vitest";
import { decodeRecord, encodeRecord, type JournalTrace } from "../../dist/jobs/journal-record.js";
import { limits } from "../../dist/limits.js";
import { factsOf } from "./interrupted.js";

const TEMPORARY = ".cistern-0123456789abcdef.part";
const directory = (path: string) => ({ path, inode: 2n ** 63n + 1n });

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytesOf = (content: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(content));

describe("a record of the journal", () => {
  const traces: [string, JournalTrace][] = [
    ["a temporary file", { kind: "temporary", directory: directory("/images"), name: TEMPORARY }],
    ["a resize", { kind: "resize", directory: directory("/images"), name: "a.img" }],
    ["content", { kind: "content", directory: directory("/"), name: "a.img", sizeBytes: null }],
    ["content of a length", { kind: "content", directory: directory("/"), name: "a.img", sizeBytes: 2n ** 63n - 1n }],
    ["content of none", { kind: "content", directory: directory("/"), name: "a.img", sizeBytes: 0n }],
    [
      "a name with bytes that are no UTF-8",
      { kind: "content", directory: directory("/i\udcff"), name: "\udc80\udcfe", sizeBytes: null },
    ],
    ["a name with line ends and quotes", { kind: "resize", directory: directory('/"\n'), name: '\u0001\n"\\' }],
    ["a name beyond the first plane", { kind: "resize", directory: directory("/🗄️"), name: "💾" }],
    [
      "a unit",
      { kind: "unit", poolType: "logical", place: "vg0", name: "a b", identity: "cistern-new-0123456789abcdef" },
    ],
    ["a device", { kind: "device", path: "/dev/vg0/a" }],
    ["a program", { kind: "child", pid: 4_711, startTime: "18446744073709551615" }],
  ];
  it.each(traces)("says the same when it is read again: %s", (_what, trace) => {
    const facts = factsOf({ volume: "v\udcff", startedAt: new Date("2026-01-02T03:04:05.678Z") });
    const { id, kind, pool, volume, title, requester } = facts;
    expect(decodeRecord(encodeRecord(facts, trace))).toEqual({
      job: { id, kind, pool, volume, title, requester, startedAt: facts.startedAt },
      trace,
    });
  });

  it("of a job that has not begun yet has the time at which it was announced", () => {
    const facts = factsOf({ startedAt: null, createdAt: new Date(1_000) });
    const record = decodeRecord(encodeRecord(facts, { kind: "child", pid: 1, startTime: "2" }));
    expect(record).toMatchObject({ job: { startedAt: new Date(1_000) } });
  });

  it("fits into what recovery reads, with the longest names that there can be", () => {
    const worst = (length: number): string => "\udcff".repeat(length);
    const facts = factsOf({ pool: worst(255), volume: worst(255), title: worst(1_200) });
    const place = { directory: directory(worst(4_095)), name: worst(255) };
    const bytes = encodeRecord(facts, { kind: "content", ...place, sizeBytes: 2n ** 63n - 1n });
    expect(bytes.length).toBeLessThan(limits.journalRecordBytes);
    expect(decodeRecord(bytes)).toMatchObject({ trace: { name: worst(255) } });
  });

  it("that was cut off anywhere is known to be", () => {
    const whole = encodeRecord(factsOf(), { kind: "content", directory: directory("/i"), name: "ä", sizeBytes: 1n });
    // The last byte is the end of the line.
    for (let length = 0; length < whole.length - 1; length++) {
      expect(decodeRecord(whole.subarray(0, length))).toBe("cut off");
    }
    expect(decodeRecord(new Uint8Array(512))).toBe("cut off");
    expect(decodeRecord(new Uint8Array([0xff, 0xfe]))).toBe("cut off");
  });

  it("of content that an older daemon wrote has no length", () => {
    const trace = { kind: "content", directory: { path: "/i", inode: "2" }, name: "a" };
    const { job } = JSON.parse(text(encodeRecord(factsOf(), { kind: "device", path: "/dev/a" })));
    expect(decodeRecord(bytesOf({ format: 1, job, trace }))).toMatchObject({ trace: { name: "a", sizeBytes: null } });
  });

  describe("that is whole, but of another version or none, is told from one that was cut off", () => {
    const good = JSON.parse(
      text(encodeRecord(factsOf(), { kind: "temporary", directory: directory("/i"), name: TEMPORARY })),
    );
    const ofLength = (sizeBytes: unknown) => ({ ...good, trace: { ...good.trace, kind: "content", sizeBytes } });
    const rows: [string, unknown][] = [
      ["a negative length", ofLength("-1")],
      ["an empty length", ofLength("")],
      ["a length in other digits", ofLength("0x10")],
      ["a length that is no number", ofLength("long")],
      ["a length that JSON may have rounded", ofLength(4096)],
      ["a length that is true", ofLength(true)],
      ["a later format", { ...good, format: 2 }],
      ["an unknown trace", { ...good, trace: { ...good.trace, kind: "volume-group" } }],
      ["an unknown kind of job", { ...good, job: { ...good.job, kind: "defragment" } }],
      ["nobody who asked", { ...good, job: { ...good.job, requester: undefined } }],
      [
        "a door that there is not",
        { ...good, job: { ...good.job, requester: { ...good.job.requester, door: "tty" } } },
      ],
      ["a user by name", { ...good, job: { ...good.job, requester: { ...good.job.requester, userId: "root" } } }],
      ["no number", { ...good, job: { ...good.job, id: undefined } }],
      ["a pool that is no text", { ...good, job: { ...good.job, pool: 1 } }],
      ["a volume that is no text", { ...good, job: { ...good.job, volume: { name: "a" } } }],
      ["no title", { ...good, job: { ...good.job, title: null } }],
      ["no time", { ...good, job: { ...good.job, startedAt: "yesterday" } }],
      ["no directory", { ...good, trace: { kind: "content", name: "a" } }],
      ["an inode that is no number", { ...good, trace: { ...good.trace, directory: { path: "/i", inode: "x" } } }],
      ["a unit in no place", { ...good, trace: { kind: "unit", poolType: "logical", name: "a", identity: "b" } }],
      ["a device without a path", { ...good, trace: { kind: "device" } }],
      ["not an object", [1]],
      ["null", null],
      ["a temporary file under a name that we never give", { ...good, trace: { ...good.trace, name: "a.img" } }],
      ["one that leads out of its directory", { ...good, trace: { ...good.trace, name: `../${TEMPORARY}` } }],
    ];
    it.each(rows)("%s", (_what, content) => {
      expect(decodeRecord(bytesOf(content))).toBe("foreign");
    });
  });
});
