import * as fc from "fast-check";
import { expect, it } from "vitest";
import { CodecError, MessageReader, MessageWriter } from "../../dist/host/local/native-codec.js";

/** What passes between threads comes out as it went in. */

const memory = new Uint8Array(new SharedArrayBuffer(65_536));
const sent = (value: unknown): unknown => {
  const length = new MessageWriter(memory).write(value);
  // What lies behind a message is of an earlier one.
  memory.fill(0xaa, length);
  return new MessageReader(memory).read();
};

const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, undefined, true, false, 0, -1, 0.5, Number.NaN, 2 ** 53),
    fc.integer(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.constantFrom(2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n)),
    fc.string({ unit: "binary" }),
    fc.string({ unit: "grapheme-ascii" }),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(fc.oneof(fc.constantFrom("path", "fd", "sizeBytes"), fc.string()), tie("value"), {
      maxKeys: 5,
      noNullPrototype: true,
    }),
  ),
}));

it("whatever it is made of", () => {
  fc.assert(
    fc.property(plain.value, (value) => {
      expect(sent(value)).toEqual(value);
    }),
    { numRuns: 2_000 },
  );
});

it("a key is a key, whatever it is called", () => {
  const value = JSON.parse('{"__proto__": {"a": 1}, "constructor": 2, "": 3}') as unknown;
  expect(sent(value)).toEqual(value);
  expect(Object.keys(sent(value) as object)).toEqual(["__proto__", "constructor", ""]);
});

it("a byte that is not UTF-8 stays one, and so does a lone surrogate", () => {
  for (const text of ["\udc80", "ÿ", "a\u0000b", "🗄️ \ud83d"]) expect(sent({ name: text })).toEqual({ name: text });
});

it("what was read does not change with the memory", () => {
  const read = sent({ bytes: new Uint8Array([1, 2, 3]), name: "abc" });
  sent({ bytes: new Uint8Array([9, 9, 9]), name: "xyz" });
  expect(read).toEqual({ bytes: Buffer.from([1, 2, 3]), name: "abc" });
});

it("what does not fit, or is no plain data, is refused", () => {
  const refused = [
    new Uint8Array(memory.length),
    "x".repeat(memory.length),
    "\udc80".repeat(memory.length / 2),
    Array.from({ length: memory.length }, () => 1),
    2n ** 64n,
    -(2n ** 63n) - 1n,
    () => 1,
    Symbol("no"),
    Object.fromEntries(Array.from({ length: 256 }, (_, index) => [`k${index}`, index])),
  ];
  for (const value of refused) expect(() => new MessageWriter(memory).write(value)).toThrow(CodecError);
});
