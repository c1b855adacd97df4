import { DocumentError, DocumentErrorCode, DocumentErrorDomain } from "./errors.js";
import type { Permissions } from "./permissions.js";
import { childText, descendant, type XmlElement } from "./xml/element.js";
import { parseInteger } from "./xml/properties.js";

const NO_PERMISSIONS: Permissions = { mode: null, owner: null, group: null, label: null };

/** Reads `<permissions>`; null is an absent element, which says nothing. */
export function readPermissions(element: XmlElement | null): Permissions {
  if (element === null) {
    return NO_PERMISSIONS;
  }
  return {
    mode: readMode(element),
    owner: readId(element, "owner"),
    group: readId(element, "group"),
    label: childText(element, "label"),
  };
}

function readMode(element: XmlElement): number | null {
  const text = childText(element, "mode");
  if (text === null) {
    return null;
  }
  const mode = parseInteger(text, 8);
  if (mode === null || (mode & ~0o777) !== 0) {
    throw new DocumentError(DocumentErrorCode.XML_ERROR, DocumentErrorDomain.STORAGE, "malformed octal mode");
  }
  return mode;
}

/** A user or group number; -1, also as an unsigned 32-bit number, is not said. */
function readId(element: XmlElement, name: "owner" | "group"): number | null {
  const id = descendant(element, name);
  if (id === null) {
    return null;
  }
  const value = parseXpathNumber(childText(element, name) ?? "");
  if (value === null || !Number.isInteger(value) || value < -1 || value >= 2 ** 32) {
    throw new DocumentError(DocumentErrorCode.XML_ERROR, DocumentErrorDomain.STORAGE, `malformed ${name} element`);
  }
  return value === -1 || value === 2 ** 32 - 1 ? null : value;
}

/** XPath's number(): blanks around, decimals, no plus sign. */
function parseXpathNumber(text: string): number | null {
  const match = /^[ \t\n\r]*(-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)[ \t\n\r]*$/.exec(text);
  return match?.[1] === undefined ? null : Number(match[1]);
}
