import { LIMITS } from "../limits.js";
import { XdrReader } from "./reader.js";
import { XdrWriter } from "./writer.js";

/**
 * The layout of a value on the wire, as a value: built once by the functions next door (`int`, `string`, `struct` …),
 * it encodes and decodes, and its `shape` tells tests and documentation what it consists of.
 */
export interface Schema<T> {
  readonly shape: Shape;
  /** The fewest bytes a value takes: a count is held against it before anything is allocated. */
  readonly minBytes: number;
  encode(writer: XdrWriter, value: T): void;
  decode(reader: XdrReader): T;
}

/** The TypeScript type of a schema's values. */
export type Infer<S> = S extends Schema<infer T> ? T : never;

export type Shape =
  | { readonly kind: "nothing" | "int" | "uint" | "hyper" | "unsignedHyper" | "double" | "bool" | "uuid" }
  | { readonly kind: "string" | "opaque" | "charArray" | "fixedChars"; readonly max: number }
  | { readonly kind: "fixedOpaque"; readonly length: number }
  | { readonly kind: "array"; readonly item: Schema<unknown>; readonly max: number }
  | { readonly kind: "fixedArray"; readonly item: Schema<unknown>; readonly length: number }
  | { readonly kind: "optional"; readonly item: Schema<unknown> }
  | { readonly kind: "struct"; readonly fields: Readonly<Record<string, Schema<unknown>>> }
  | { readonly kind: "union"; readonly cases: readonly UnionCase[] };

export interface UnionCase {
  readonly discriminator: number;
  readonly type: string;
  readonly schema: Schema<unknown>;
}

/** The bytes of `value`, at most `maxBytes` of them. Throws `ProtocolError` ("encode"). */
export function encodeXdr<T>(schema: Schema<T>, value: T, maxBytes: number = LIMITS.bodyBytes): Uint8Array {
  const writer = new XdrWriter(maxBytes);
  schema.encode(writer, value);
  return writer.finish();
}

export interface Decoded<T> {
  readonly value: T;
  /** Bytes behind the value. libvirt tolerates them, and newer clients may send them. */
  readonly trailingBytes: number;
}

/** The value at the start of `bytes`. Throws `ProtocolError` ("decode"). */
export function decodeXdr<T>(schema: Schema<T>, bytes: Uint8Array): Decoded<T> {
  const reader = new XdrReader(bytes);
  const value = schema.decode(reader);
  return { value, trailingBytes: reader.remainingBytes };
}
