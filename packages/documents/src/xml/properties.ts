import { DocumentError, DocumentErrorCode, DocumentErrorDomain } from "../errors.js";
import type { XmlElement } from "./element.js";

/** Attributes with a closed set of values, with libvirt's errors 27/5 for values outside of it. */

/** @returns null where the attribute is absent */
export function enumProperty<T extends string>(element: XmlElement, name: string, values: readonly T[]): T | null {
  const value = element.attributes.get(name);
  if (value === undefined) {
    return null;
  }
  const known = values.find((candidate) => candidate === value);
  if (known === undefined) {
    throw invalid(element, name, value);
  }
  return known;
}

export function requiredEnumProperty<T extends string>(element: XmlElement, name: string, values: readonly T[]): T {
  const value = enumProperty(element, name, values);
  if (value === null) {
    const detail = `Missing required attribute '${name}' in element '${element.name}'`;
    throw new DocumentError(DocumentErrorCode.XML_ERROR, DocumentErrorDomain.XML, detail);
  }
  return value;
}

/** `yes`, `no` or absent (null). */
export function booleanProperty(element: XmlElement, name: string): boolean | null {
  const value = enumProperty(element, name, ["yes", "no"]);
  return value === null ? null : value === "yes";
}

/** A 32-bit integer in base 10; null where the attribute is absent. */
export function integerProperty(element: XmlElement, name: string): number | null {
  const value = element.attributes.get(name);
  if (value === undefined) {
    return null;
  }
  const number = parseInteger(value, 10);
  if (number === null) {
    throw invalid(element, name, value, " Expected integer value");
  }
  return number;
}

/** A non-negative 32-bit integer in C's notation (`31`, `0x1f`, `037`); null where the attribute is absent. */
export function unsignedProperty(element: XmlElement, name: string): number | null {
  const value = element.attributes.get(name);
  if (value === undefined) {
    return null;
  }
  const digits = /^[ \t\n\v\f\r]*\+?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/.exec(value)?.[1];
  const number = digits === undefined ? Number.NaN : Number(digits.replace(/^0(?=[0-7])/, "0o"));
  if (!(number < 2 ** 32)) {
    throw invalid(element, name, value, " Expected non-negative integer value");
  }
  return number;
}

/** A signed 32-bit number as C's strtol reads it, with nothing behind it; null where it is not one. */
export function parseInteger(text: string, base: 8 | 10): number | null {
  const match = /^[ \t\n\v\f\r]*([-+]?)([0-9]+)$/.exec(text);
  const digits = match?.[2];
  if (digits === undefined || (base === 8 && /[89]/.test(digits))) {
    return null;
  }
  const number = Number.parseInt(digits, base) * (match?.[1] === "-" ? -1 : 1);
  return number < -(2 ** 31) || number >= 2 ** 31 ? null : number + 0;
}

function invalid(element: XmlElement, name: string, value: string, expected = ""): DocumentError {
  const detail = `Invalid value for attribute '${name}' in element '${element.name}': '${value}'.${expected}`;
  return new DocumentError(DocumentErrorCode.XML_ERROR, DocumentErrorDomain.XML, detail);
}
