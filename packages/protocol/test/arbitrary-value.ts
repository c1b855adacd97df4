import fc from "fast-check";
import type { Schema } from "../dist/index.js";

/** Any text that can travel: everything but NUL. Bytes that are no UTF-8 are tested next to the codec. */
const anyText = fc.string({ unit: "binary", maxLength: 12 }).map((text) => text.replaceAll("\0", "·"));

/** Any value of a schema, built from its shape. */
export function arbitraryValue(schema: Schema<unknown>): fc.Arbitrary<unknown> {
  const { shape } = schema;
  switch (shape.kind) {
    case "nothing":
      return fc.constant(undefined);
    case "int":
      return fc.integer({ min: -0x80000000, max: 0x7fffffff });
    case "uint":
      return fc.integer({ min: 0, max: 0xffffffff });
    case "hyper":
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case "unsignedHyper":
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    case "double":
      return fc.double();
    case "bool":
      return fc.boolean();
    case "uuid":
      return fc.uint8Array({ minLength: 16, maxLength: 16 }).map(formatUuid);
    case "string":
      return anyText;
    case "opaque":
    case "charArray":
      return fc.uint8Array({ maxLength: Math.min(shape.max, 40) });
    case "fixedChars":
      return fc
        .string({ minLength: 0, maxLength: shape.max })
        .map((text) => text.replaceAll("\0", "·").slice(0, shape.max / 2));
    case "fixedOpaque":
      return fc.uint8Array({ minLength: shape.length, maxLength: shape.length });
    case "array":
      return fc.array(arbitraryValue(shape.item), { maxLength: Math.min(shape.max, 4) });
    case "fixedArray":
      return fc.array(arbitraryValue(shape.item), { minLength: shape.length, maxLength: shape.length });
    case "optional":
      return fc.option(arbitraryValue(shape.item), { nil: null });
    case "struct":
      return fc.record(
        Object.fromEntries(Object.entries(shape.fields).map(([name, field]) => [name, arbitraryValue(field)])),
        { noNullPrototype: true },
      );
    case "union":
      return fc.oneof(
        ...shape.cases.map(({ type, schema: item }) =>
          fc.record({ type: fc.constant(type), value: arbitraryValue(item) }, { noNullPrototype: true }),
        ),
      );
  }
}

function formatUuid(bytes: Uint8Array): string {
  const digits = Buffer.from(bytes).toString("hex");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
