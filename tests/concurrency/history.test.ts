import { describe, expect, it } from "vitest";
import { type Effect, type Entry, possibleContents, unexplained } from "./history.js";

const MiB = 1024 * 1024;
const entry = (calledAt: number, answeredAt: number, effect: Effect, name = "v"): Entry => ({
  name,
  calledAt,
  answeredAt,
  effect,
});
const create: Effect = { kind: "create", capacityBytes: MiB };
const write = (content: string): Effect => ({ kind: "write", content });
const read = (content: string, capacityBytes = MiB): Effect => ({ kind: "read", content, capacityBytes });

describe("a history of one volume", () => {
  it("is explained by the order of its operations", () => {
    const history = [
      entry(0, 1, { kind: "absent" }),
      entry(2, 3, create),
      entry(4, 5, read("zero")),
      entry(6, 7, write("a")),
      entry(8, 9, { kind: "resize", capacityBytes: 2 * MiB }),
      entry(10, 11, read("a", 2 * MiB)),
      entry(12, 13, { kind: "delete" }),
      entry(14, 15, { kind: "absent" }),
    ];
    expect(unexplained(history)).toBeNull();
  });

  it("may have operations at once in any order that fits the answers", () => {
    const both = [entry(0, 1, create), entry(2, 9, write("a")), entry(3, 8, write("b"))];
    expect(unexplained([...both, entry(10, 11, read("a"))])).toBeNull();
    expect(unexplained([...both, entry(10, 11, read("b"))])).toBeNull();
    expect(unexplained([...both, entry(4, 6, read("zero")), entry(10, 11, read("b"))])).toBeNull();
  });

  it.each<[string, Entry[]]>([
    ["a write is lost", [entry(0, 1, create), entry(2, 3, write("a")), entry(4, 5, read("zero"))]],
    [
      "content is a mixture",
      [entry(0, 1, create), entry(2, 3, write("a")), entry(4, 5, read("mixture of a and zero"))],
    ],
    [
      "an upload and a delete succeed after one another",
      [entry(0, 1, create), entry(2, 3, { kind: "delete" }), entry(4, 5, write("a"))],
    ],
    ["two creations succeed", [entry(0, 5, create), entry(1, 4, create)]],
    [
      "what was answered is undone",
      [entry(0, 1, create), entry(2, 3, { kind: "absent" }), entry(4, 5, { kind: "seen" })],
    ],
    [
      "a clone changes by itself",
      [entry(0, 1, { kind: "clone", source: "s", id: 1 }), entry(2, 3, read("a")), entry(4, 5, read("b"))],
    ],
  ])("is not explained when %s", (_, history) => {
    expect(unexplained(history)).not.toBeNull();
  });

  it("knows what a clone may have got", () => {
    const history = [
      entry(0, 1, create, "s"),
      entry(2, 3, write("a"), "s"),
      entry(4, 6, { kind: "clone", source: "s", id: 1 }, "t"),
      entry(7, 8, write("b"), "s"),
      entry(9, 10, write("c"), "other"),
    ];
    expect([...possibleContents(history, "t", 100)]).toEqual(["zero", "a"]);
  });
});
