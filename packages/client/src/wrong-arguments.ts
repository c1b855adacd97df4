import { type AnyProcedure, encodeXdr, LibvirtError, type Schema, type Shape } from "@cistern/protocol";

/** Texts of more characters are said by their length: documents are long. */
const LONGEST_SHOWN = 60;

/** An argument that cannot be meant: an error 8 with the call, the argument, what is wanted, and what was said. */
export function wrongArgument(procedure: AnyProcedure, name: string, value: unknown, wanted: string): LibvirtError {
  return refusal(procedure, name, `${name} must be ${wanted}, not ${described(value)}`);
}

/** The number by which libvirt knows one of `words`, which are in their order. Throws error 8 for any other. */
export function numberOf(words: readonly string[], word: string, procedure: AnyProcedure, name: string): number {
  const number = words.indexOf(word);
  if (number === -1) throw wrongArgument(procedure, name, word, `one of ${words.join(", ")}`);
  return number;
}

/** A job's number as it is sent. Throws error 8 for what is none. */
export function jobNumber(id: number | bigint, procedure: AnyProcedure): bigint {
  const isWhole = typeof id === "bigint" || Number.isSafeInteger(id);
  if (!isWhole || id < 0) throw wrongArgument(procedure, "id", id, "a whole number from 0 on");
  return BigInt(id);
}

/** Why the arguments of a call cannot be encoded; `thrown` is what encoding them all ended in. */
export function unsendable(procedure: AnyProcedure, args: unknown, thrown: unknown): LibvirtError {
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  const field = wrongField(procedure.args, args);
  if (field === null) return refusal(procedure, "arguments", `the arguments cannot be sent: ${reason}`, thrown);
  const { name, value, shape } = field;
  const wanted = wantedOf(shape, value);
  if (wanted === null) return refusal(procedure, name, `${name} cannot be sent: ${reason}`, thrown);
  // A text in the place of bytes may be a secret all the same.
  const said = areBytes(shape) ? kindOf(value) : described(value);
  return refusal(procedure, name, `${name} must be ${wanted}, not ${said}`, thrown);
}

interface Field {
  readonly name: string;
  readonly value: unknown;
  readonly shape: Shape;
}

/** The first field that cannot be encoded; null: each can, or there are none. */
function wrongField({ shape }: Schema<unknown>, value: unknown, prefix = ""): Field | null {
  if (shape.kind !== "struct" || typeof value !== "object" || value === null) return null;
  const values = new Map<string, unknown>(Object.entries(value));
  for (const [name, schema] of Object.entries(shape.fields)) {
    const field = { name: `${prefix}${name}`, value: values.get(name), shape: schema.shape };
    if (!isSendable(schema, field.value)) return wrongField(schema, field.value, `${field.name}.`) ?? field;
  }
  return null;
}

function isSendable(schema: Schema<unknown>, value: unknown): boolean {
  try {
    encodeXdr(schema, value);
    return true;
  } catch {
    return false;
  }
}

/** In the caller's words; null: the encoder's reason says more. */
function wantedOf(shape: Shape, value: unknown): string | null {
  switch (shape.kind) {
    case "int":
      return "a whole number from -2147483648 to 2147483647";
    case "uint":
      return "a whole number from 0 to 4294967295";
    case "hyper":
      return "a bigint from -2^63 to 2^63-1";
    case "unsignedHyper":
      return "a bigint from 0 to 2^64-1";
    case "uuid":
      return "a UUID in lower case (8-4-4-4-12)";
    case "string":
      return `a string without NUL of at most ${shape.max} bytes`;
    case "optional":
      return wantedOf(shape.item.shape, value);
    default:
      // How many bytes there may be, the encoder says.
      return areBytes(shape) && !(value instanceof Uint8Array) ? "a Uint8Array" : null;
  }
}

function areBytes(shape: Shape): boolean {
  return shape.kind === "optional"
    ? areBytes(shape.item.shape)
    : ["opaque", "fixedOpaque", "charArray"].includes(shape.kind);
}

function described(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number") return `the number ${value}`;
  if (typeof value !== "string") return typeof value === "object" && value !== null ? "an object" : String(value);
  return value.length > LONGEST_SHOWN ? `a string of ${value.length} characters` : JSON.stringify(value);
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function refusal({ api, errorDomain }: AnyProcedure, name: string, text: string, cause?: unknown): LibvirtError {
  const { code, str1, str2, int1, int2 } = LibvirtError.invalidArgument(errorDomain, api, name, text);
  return new LibvirtError(code, errorDomain, `${api}: ${text}`, { str1, str2, int1, int2, cause });
}
