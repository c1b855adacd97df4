import { ProtocolError } from "../protocol-error.js";
import type { Schema } from "./schema.js";
import { decodeUtf8, encodeUtf8 } from "./utf8.js";

/** `string<max>`: length in bytes, UTF-8 with surrogateescape, padding. */
export function string(maxBytes: number): Schema<string> {
  return {
    shape: { kind: "string", max: maxBytes },
    minBytes: 4,
    encode: (writer, value) => writer.string(value, maxBytes),
    decode: (reader) => reader.string(maxBytes),
  };
}

/** `opaque<max>`: length, bytes, padding. */
export function opaque(maxBytes: number): Schema<Uint8Array> {
  return {
    shape: { kind: "opaque", max: maxBytes },
    minBytes: 4,
    encode: (writer, value) => {
      requireBytes(value, "Opaque data");
      requireAtMost(value.length, maxBytes, "Opaque data");
      writer.uint32(value.length);
      writer.raw(value);
    },
    decode: (reader) => reader.raw(reader.count(maxBytes, 1, "Opaque data")),
  };
}

/** `opaque[length]`: bytes and padding. */
export function fixedOpaque(lengthBytes: number): Schema<Uint8Array> {
  return {
    shape: { kind: "fixedOpaque", length: lengthBytes },
    minBytes: lengthBytes,
    encode: (writer, value) => {
      requireBytes(value, "Opaque data");
      requireExactly(value.length, lengthBytes, "Opaque data");
      writer.raw(value);
    },
    decode: (reader) => reader.raw(lengthBytes),
  };
}

const UUID_BYTES = 16;
const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** 16 bytes on the wire, lower-case `8-4-4-4-12` in the program. */
export const uuid: Schema<string> = {
  shape: { kind: "uuid" },
  minBytes: UUID_BYTES,
  encode: (writer, value) => {
    if (!UUID_PATTERN.test(value)) throw new ProtocolError("encode", `"${value}" is not a UUID in lower case`);
    const digits = value.replaceAll("-", "");
    writer.raw(
      Uint8Array.from({ length: UUID_BYTES }, (_, index) =>
        Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16),
      ),
    );
  },
  decode: (reader) => {
    let digits = "";
    for (const byte of reader.raw(UUID_BYTES)) digits += HEX[byte];
    return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`;
  },
};

/** `char data<max>`: a count, then four bytes per octet, sign-extended as C's char is. SASL data travels like this. */
export function charArray(maxCount: number): Schema<Uint8Array> {
  return {
    shape: { kind: "charArray", max: maxCount },
    minBytes: 4,
    encode: (writer, value) => {
      requireBytes(value, "Character data");
      requireAtMost(value.length, maxCount, "Character data");
      writer.uint32(value.length);
      for (const octet of value) writer.int32((octet << 24) >> 24);
    },
    decode: (reader) => {
      const octets = new Uint8Array(reader.count(maxCount, 4, "Character data"));
      for (let index = 0; index < octets.length; index++) octets[index] = reader.int32() & 0xff;
      return octets;
    },
  };
}

/** `char name[count]`: four bytes per octet, filled up with NULs, of which at least one is there. A string here. */
export function fixedChars(count: number): Schema<string> {
  return {
    shape: { kind: "fixedChars", max: count - 1 },
    minBytes: 4 * count,
    encode: (writer, value) => {
      const octets = encodeUtf8(value);
      requireAtMost(octets.length, count - 1, "Character data");
      if (octets.includes(0)) throw new ProtocolError("encode", "A string with a NUL in it cannot be sent");
      for (let index = 0; index < count; index++) writer.int32(((octets[index] ?? 0) << 24) >> 24);
    },
    decode: (reader) => {
      const octets = Uint8Array.from({ length: count }, () => reader.int32() & 0xff);
      const nul = octets.indexOf(0);
      return decodeUtf8(octets, 0, nul === -1 ? count : nul);
    },
  };
}

/** A text has a length too, and would go out as that many zeros. */
function requireBytes(value: unknown, what: string): void {
  if (!(value instanceof Uint8Array)) throw new ProtocolError("encode", `${what} must be a Uint8Array`);
}

function requireAtMost(length: number, max: number, what: string): void {
  if (length > max) throw new ProtocolError("encode", `${what} of ${length} bytes is over the limit of ${max}`);
}

function requireExactly(length: number, wanted: number, what: string): void {
  if (length !== wanted) throw new ProtocolError("encode", `${what} of ${length} bytes must have ${wanted}`);
}
