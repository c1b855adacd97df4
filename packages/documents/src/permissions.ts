import { DocumentError, DocumentErrorCode, DocumentErrorDomain } from "./errors.js";
import { childText, descendant, text, type XmlElement } from "./xml/element.js";
import { parseInteger } from "./xml/properties.js";
import type { XmlWriter } from "./xml/write.js";

/** Owner and access of a pool's target or a volume. `null`: not said (libvirt's -1). */
export interface Permissions {
  readonly mode: number | null;
  readonly owner: number | null;
  readonly group: number | null;
  readonly label: string | null;
}

export const NO_PERMISSIONS: Permissions = { mode: null, owner: null, group: null, label: null };

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
  const octal = childText(element, "mode");
  if (octal === null) {
    return null;
  }
  const mode = parseInteger(octal, 8);
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
  const match = /^[ \t\n\v\f\r]*([-+]?[0-9]+)$/.exec(text(id) ?? "");
  const value = match === null ? Number.NaN : Number(match[1]);
  if (!(value >= -1 && value < 2 ** 32)) {
    throw new DocumentError(DocumentErrorCode.XML_ERROR, DocumentErrorDomain.STORAGE, `malformed ${name} element`);
  }
  return value === -1 || value === 2 ** 32 - 1 ? null : Math.abs(value);
}

/** Writes `<permissions>`, or nothing where nothing is said. */
export function writePermissions(writer: XmlWriter, { mode, owner, group, label }: Permissions): void {
  if (mode === null && owner === null && group === null && label === null) {
    return;
  }
  writer.open("permissions");
  if (mode !== null) {
    writer.leaf("mode", {}, `0${mode.toString(8)}`);
  }
  if (owner !== null) {
    writer.leaf("owner", {}, owner);
  }
  if (group !== null) {
    writer.leaf("group", {}, group);
  }
  if (label !== null) {
    writer.leaf("label", {}, label);
  }
  writer.close();
}
