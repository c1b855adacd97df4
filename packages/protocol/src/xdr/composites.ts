import { ProtocolError } from "../protocol-error.js";
import type { XdrReader } from "./reader.js";
import type { Infer, Schema } from "./schema.js";
import type { XdrWriter } from "./writer.js";

/** `T items<max>`: a count, then the items. */
export function array<T>(item: Schema<T>, max: number): Schema<readonly T[]> {
  return {
    shape: { kind: "array", item, max },
    minBytes: 4,
    encode: (writer, values) => {
      if (values.length > max)
        throw new ProtocolError("encode", `A list of ${values.length} is over the limit of ${max}`);
      writer.uint32(values.length);
      for (const value of values) item.encode(writer, value);
    },
    decode: (reader) => decodeItems(reader, item, reader.count(max, item.minBytes, "A list")),
  };
}

/** `T items[length]`: the items, without a count. */
export function fixedArray<T>(item: Schema<T>, length: number): Schema<readonly T[]> {
  return {
    shape: { kind: "fixedArray", item, length },
    minBytes: item.minBytes * length,
    encode: (writer, values) => {
      if (values.length !== length) throw new ProtocolError("encode", `A list of ${values.length} must have ${length}`);
      for (const value of values) item.encode(writer, value);
    },
    decode: (reader) => decodeItems(reader, item, length),
  };
}

function decodeItems<T>(reader: XdrReader, item: Schema<T>, count: number): T[] {
  const values: T[] = [];
  for (let index = 0; index < count; index++) values.push(item.decode(reader));
  return values;
}

/** `T *item`: a word that says whether it is there (sent as 1, any but 0 is understood), then the item. */
export function optional<T>(item: Schema<T>): Schema<T | null> {
  return {
    shape: { kind: "optional", item },
    minBytes: 4,
    encode: (writer, value) => {
      writer.uint32(value === null ? 0 : 1);
      if (value !== null) item.encode(writer, value);
    },
    decode: (reader) => (reader.uint32() === 0 ? null : item.decode(reader)),
  };
}

type Fields = Readonly<Record<string, Schema<unknown>>>;
type StructValue<F extends Fields> = { readonly [Name in keyof F]: Infer<F[Name]> };

/** The fields one after the other, in the order in which they are written here. */
export function struct<F extends Fields>(fields: F): Schema<StructValue<F>> {
  const names = Object.keys(fields);
  const schemas = Object.values(fields);
  return {
    shape: { kind: "struct", fields },
    minBytes: schemas.reduce((sum, schema) => sum + schema.minBytes, 0),
    // Plain loops over indexes: lists have tens of thousands of structs, and the first must not wait for the compiler.
    encode: (writer: XdrWriter, value: StructValue<F>) => {
      for (let index = 0; index < names.length; index++) schemas[index]?.encode(writer, value[names[index] ?? ""]);
    },
    decode: (reader) => {
      const value: Record<string, unknown> = {};
      for (let index = 0; index < names.length; index++) value[names[index] ?? ""] = schemas[index]?.decode(reader);
      return value as StructValue<F>;
    },
  };
}

type Cases = Readonly<Record<string, readonly [discriminator: number, schema: Schema<unknown>]>>;
type UnionValue<C extends Cases> = {
  [Type in keyof C & string]: { readonly type: Type; readonly value: Infer<C[Type][1]> };
}[keyof C & string];

/** A number that says which case follows, then its value. An unknown number is a `ProtocolError`. */
export function union<const C extends Cases>(cases: C): Schema<UnionValue<C>> {
  const list = Object.entries(cases).map(([type, [discriminator, schema]]) => ({ discriminator, type, schema }));
  const byType = new Map(list.map((entry) => [entry.type, entry]));
  const byDiscriminator = new Map(list.map((entry) => [entry.discriminator, entry]));
  return {
    shape: { kind: "union", cases: list },
    minBytes: 4 + Math.min(...list.map((entry) => entry.schema.minBytes)),
    encode: (writer, value) => {
      const entry = byType.get(value.type);
      if (entry === undefined) throw new ProtocolError("encode", `A union has no case "${value.type}"`);
      writer.int32(entry.discriminator);
      entry.schema.encode(writer, value.value);
    },
    decode: (reader) => {
      const discriminator = reader.int32();
      const entry = byDiscriminator.get(discriminator);
      if (entry === undefined) throw new ProtocolError("decode", `A union has no case ${discriminator}`);
      return { type: entry.type, value: entry.schema.decode(reader) } as UnionValue<C>;
    },
  };
}
