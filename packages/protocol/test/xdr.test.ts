import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  array,
  bool,
  charArray,
  decodeUtf8,
  decodeXdr,
  double,
  encodeUtf8,
  encodeXdr,
  fixedArray,
  fixedChars,
  fixedOpaque,
  hyper,
  int,
  opaque,
  optional,
  ProtocolError,
  type Schema,
  storage,
  string,
  struct,
  typedParameter,
  uint,
  union,
  unsignedHyper,
  uuid,
} from "../dist/index.js";

describe("the bytes of each kind of value", () => {
  const examples: readonly (readonly [what: string, schema: Schema<unknown>, value: unknown, hex: string])[] = [
    ["int", int, -2, "fffffffe"],
    ["uint", uint, 0xfffffffe, "fffffffe"],
    ["hyper", hyper, -5n, "fffffffffffffffb"],
    ["unsigned hyper", unsignedHyper, 2n ** 64n - 1n, "ffffffffffffffff"],
    ["double", double, 1.5, "3ff8000000000000"],
    ["bool", bool, true, "00000001"],
    ["empty string", string(10), "", "00000000"],
    ["string with padding", string(10), "hello", "0000000568656c6c6f000000"],
    ["string without padding", string(10), "vols", "00000004766f6c73"],
    ["string with two, three and four bytes per letter", string(20), "é€😀", "00000009c3a9e282acf09f9880000000"],
    ["string with bytes that are no UTF-8", string(20), "a\udcff\udc80", "0000000361ff8000"],
    ["opaque", opaque(8), Uint8Array.of(1, 2, 3), "0000000301020300"],
    ["fixed opaque", fixedOpaque(2), Uint8Array.of(1, 2), "01020000"],
    ["uuid", uuid, "5e7a1f00-1111-2222-3333-444455556666", "5e7a1f00111122223333444455556666"],
    ["characters, sign-extended", charArray(8), Uint8Array.of(0x41, 0x80), "0000000200000041ffffff80"],
    ["fixed characters", fixedChars(3), "A", "000000410000000000000000"],
    ["array", array(int, 4), [1, 2], "000000020000000100000002"],
    ["fixed array", fixedArray(int, 2), [1, 2], "0000000100000002"],
    ["absent optional", optional(int), null, "00000000"],
    ["present optional", optional(int), 7, "0000000100000007"],
    ["struct in the order of its fields", struct({ b: int, a: int }), { a: 1, b: 2 }, "0000000200000001"],
    [
      "typed parameter",
      typedParameter,
      { field: "n", value: { type: "ullong", value: 9n } },
      "000000016e000000000000040000000000000009",
    ],
    [
      "typed string parameter",
      typedParameter,
      { field: "n", value: { type: "string", value: "v" } },
      "000000016e000000000000070000000176000000",
    ],
  ];

  it.each(examples)("%s", (_what, schema, value, hex) => {
    expect(Buffer.from(encodeXdr(schema, value)).toString("hex")).toBe(hex);
    expect(decodeXdr(schema, Buffer.from(hex, "hex"))).toEqual({ value, trailingBytes: 0 });
  });
});

describe("what is not written like that but understood", () => {
  it.each([
    ["an optional's word that is not 1", optional(int), "0100000000000007", 7],
    ["a bool that is not 1", bool, "ffffffff", true],
    [
      "a string with a NUL inside, which ends it",
      string(10),
      "0000000561620063640000",
      "ab",
      "00000005616200636400000000",
    ],
    ["padding that is not zero", string(10), "0000000161ffffff", "a"],
    ["a character that is not sign-extended", charArray(4), "0000000100000080", Uint8Array.of(0x80)],
  ] as const)("%s", (_what, schema, hex, value, longer?: string) => {
    expect(decodeXdr<unknown>(schema, Buffer.from(longer ?? hex, "hex")).value).toEqual(value);
  });

  it("what was read stays as it is when the bytes are overwritten", () => {
    const bytes = Buffer.from("0000000301020300", "hex");
    const { value } = decodeXdr(opaque(8), bytes);
    bytes.fill(9);
    expect(value).toEqual(Uint8Array.of(1, 2, 3));
  });

  it("bytes behind the value are counted", () => {
    expect(decodeXdr(int, Uint8Array.of(0, 0, 0, 1, 9, 9))).toEqual({ value: 1, trailingBytes: 2 });
  });
});

describe("values that cannot be sent are one ProtocolError", () => {
  it.each<readonly [string, Schema<unknown>, unknown]>([
    ["int over 32 bits", int, 2 ** 31],
    ["fraction", int, 1.5],
    ["NaN", uint, Number.NaN],
    ["negative uint", uint, -1],
    ["hyper over 64 bits", hyper, 2n ** 63n],
    ["negative unsigned hyper", unsignedHyper, -1n],
    ["a number for a hyper", unsignedHyper, 1],
    ["string over its limit", string(3), "abcd"],
    ["string whose bytes are over its limit", string(3), "éé"],
    ["string with a NUL", string(9), "a\0b"],
    ["opaque over its limit", opaque(1), Uint8Array.of(1, 2)],
    ["fixed opaque of another length", fixedOpaque(2), Uint8Array.of(1)],
    ["a text for opaque", opaque(8), "text"],
    ["an array for fixed opaque", fixedOpaque(1), [1]],
    ["a text for characters", charArray(8), "text"],
    ["characters over their limit", charArray(1), Uint8Array.of(1, 2)],
    ["fixed characters without room for the NUL", fixedChars(2), "ab"],
    ["UUID in capitals", uuid, "5E7A1F00-1111-2222-3333-444455556666"],
    ["array over its limit", array(int, 1), [1, 2]],
    ["fixed array of another length", fixedArray(int, 1), []],
    ["union case that is not there", union({ a: [1, int] }), { type: "b", value: 1 }],
  ])("%s", (_what, schema, value) => {
    expect(kindThrownBy(() => encodeXdr(schema, value))).toBe("encode");
  });

  it("a message over its limit", () => {
    expect(kindThrownBy(() => encodeXdr(array(int, 100), Array(100).fill(1), 400))).toBe("encode");
    expect(encodeXdr(array(int, 100), Array(99).fill(1), 400).length).toBe(400);
  });
});

describe("bytes over a limit are one ProtocolError", () => {
  const plenty = Buffer.alloc(4096);
  it.each<readonly [string, Schema<unknown>, number]>([
    ["string", string(16), 17],
    ["opaque", opaque(16), 17],
    ["characters", charArray(16), 17],
    ["array", array(int, 16), 17],
    ["string", string(2 ** 31), 0xffffffff],
    ["opaque", opaque(2 ** 31), 0x7fffffff],
    ["array of nothing but counts", array(array(int, 4), 4), 5],
  ])("%s", (_what, schema, count) => {
    const bytes = Buffer.from(plenty);
    bytes.writeUInt32BE(count);
    expect(kindThrownBy(() => decodeXdr(schema, bytes))).toBe("decode");
  });

  it("a union's number that is not known", () => {
    expect(kindThrownBy(() => decodeXdr(union({ a: [1, int] }), Buffer.from("0000000200000000", "hex")))).toBe(
      "decode",
    );
  });

  it("and nothing is allocated for a count that the message cannot hold", () => {
    const hostile = [opaque(4_194_304), charArray(4_194_304), string(4_194_304), array(int, 4_194_304)];
    const bytes = Buffer.alloc(64);
    bytes.writeUInt32BE(4_194_304);
    const before = process.memoryUsage();
    for (let round = 0; round < 200; round++) {
      for (const schema of hostile) expect(kindThrownBy(() => decodeXdr<unknown>(schema, bytes))).toBe("decode");
    }
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(4_194_304);
  });
});

describe("UTF-8 with escapes for other bytes", () => {
  it("gives every sequence of bytes back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(Buffer.from(encodeUtf8(decodeUtf8(bytes)))).toEqual(Buffer.from(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  it("agrees with Node on valid text of any length", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 100 }), fc.integer({ min: 1, max: 200 }), (piece, times) => {
        const text = piece.repeat(times);
        expect(Buffer.from(encodeUtf8(text))).toEqual(Buffer.from(text));
        expect(decodeUtf8(Buffer.from(text))).toBe(text);
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ["overlong NUL", "c080", "\udcc0\udc80"],
    ["overlong three bytes", "e09f80", "\udce0\udc9f\udc80"],
    ["a surrogate", "eda080", "\udced\udca0\udc80"],
    ["over U+10FFFF", "f4908080", "\udcf4\udc90\udc80\udc80"],
    ["a sequence that is cut off", "61e282", "a\udce2\udc82"],
    ["a lone continuation", "80", "\udc80"],
  ])("escapes %s byte by byte", (_what, hex, text) => {
    expect(decodeUtf8(Buffer.from(hex, "hex"))).toBe(text);
  });

  it("writes U+FFFD for a lone surrogate that stands for no byte", () => {
    expect(Buffer.from(encodeUtf8("a\ud800b\udfff")).toString()).toBe("a�b�");
  });
});

it("a list of 10,000 volumes is written and read in milliseconds", () => {
  const vols = Array.from({ length: 10_000 }, (_, index) => ({
    pool: "default",
    name: `volume-${index}.qcow2`,
    key: `/var/lib/libvirt/images/volume-${index}.qcow2`,
  }));
  const { result } = storage.storagePoolListAllVolumes;
  const value = { vols, ret: vols.length };
  const times = Array.from({ length: 10 }, () => {
    const start = performance.now();
    const bytes = encodeXdr(result, value);
    const middle = performance.now();
    expect(decodeXdr(result, bytes).value.vols.length).toBe(10_000);
    return { encodeMs: middle - start, decodeMs: performance.now() - middle };
  });
  // The quickest of ten: a busy machine is no slow codec.
  expect(Math.min(...times.map(({ encodeMs }) => encodeMs))).toBeLessThan(20);
  expect(Math.min(...times.map(({ decodeMs }) => decodeMs))).toBeLessThan(40);
});

function kindThrownBy(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return error instanceof ProtocolError ? error.kind : `another error: ${String(error)}`;
  }
  return "no error";
}
