import type { Schema } from "./schema.js";

/** No bytes at all: procedures without arguments or result. */
export const nothing: Schema<void> = {
  shape: { kind: "nothing" },
  minBytes: 0,
  encode: () => {},
  decode: () => {},
};

/** XDR int, enum, char and short: a signed 32-bit number. */
export const int: Schema<number> = {
  shape: { kind: "int" },
  minBytes: 4,
  encode: (writer, value) => writer.int32(value),
  decode: (reader) => reader.int32(),
};

/** XDR unsigned int and unsigned char. Flags are this. */
export const uint: Schema<number> = {
  shape: { kind: "uint" },
  minBytes: 4,
  encode: (writer, value) => writer.uint32(value),
  decode: (reader) => reader.uint32(),
};

/** A signed 64-bit number. */
export const hyper: Schema<bigint> = {
  shape: { kind: "hyper" },
  minBytes: 8,
  encode: (writer, value) => writer.int64(value),
  decode: (reader) => reader.int64(),
};

/** An unsigned 64-bit number: sizes and offsets. */
export const unsignedHyper: Schema<bigint> = {
  shape: { kind: "unsignedHyper" },
  minBytes: 8,
  encode: (writer, value) => writer.uint64(value),
  decode: (reader) => reader.uint64(),
};

export const double: Schema<number> = {
  shape: { kind: "double" },
  minBytes: 8,
  encode: (writer, value) => writer.float64(value),
  decode: (reader) => reader.float64(),
};

/** Sent as 0 or 1; anything but 0 is true. */
export const bool: Schema<boolean> = {
  shape: { kind: "bool" },
  minBytes: 4,
  encode: (writer, value) => writer.uint32(value ? 1 : 0),
  decode: (reader) => reader.uint32() !== 0,
};
