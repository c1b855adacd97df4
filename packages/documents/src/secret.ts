import { DocumentError, DocumentErrorCode, DocumentErrorDomain } from "./errors.js";
import { parseUuid, randomUuid } from "./uuid.js";
import { child, childAttribute, childText, type XmlElement } from "./xml/element.js";
import { parseDocument } from "./xml/parse.js";
import { XmlWriter } from "./xml/write.js";

/** What a secret can be used for, in libvirt's order: the index is libvirt's number of the type. */
export const SECRET_USAGE_TYPES = ["none", "volume", "ceph", "iscsi", "tls", "vtpm"] as const;
export type SecretUsageType = (typeof SECRET_USAGE_TYPES)[number];

export interface SecretUsage {
  readonly type: SecretUsageType;
  /** The volume's path, the iSCSI target, or a name; empty for `none`. */
  readonly id: string;
}
/** A secret without its value. */
export interface SecretDocument {
  /** Lower case, 8-4-4-4-12. */
  readonly uuid: string;
  /** Kept in memory only. */
  readonly ephemeral: boolean;
  /** Its value is given to no client. */
  readonly private: boolean;
  readonly description: string | null;
  readonly usage: SecretUsage;
}

/** Where the id stands within `<usage>`, and the words in which libvirt misses it. */
const USAGE_ID: { readonly [Type in SecretUsageType]: { readonly element: string; readonly missing: string } | null } =
  {
    none: null,
    volume: { element: "volume", missing: "volume usage specified, but volume path is missing" },
    ceph: { element: "name", missing: "Ceph usage specified, but name is missing" },
    iscsi: { element: "target", missing: "iSCSI usage specified, but target is missing" },
    tls: { element: "name", missing: "TLS usage specified, but name is missing" },
    vtpm: { element: "name", missing: "vTPM usage specified, but name is missing" },
  };

/**
 * Reads a secret document. Without `<uuid>` it gets a new random one.
 *
 * @throws DocumentError 35/30, 27/5 (another root element), 27/30, 1/30, 67/30
 */
export function readSecret(xml: string): SecretDocument {
  const root = parseDocument(xml, {
    kind: "definition_of_secret",
    domain: DocumentErrorDomain.SECRET,
    root: "secret",
  });
  return {
    ephemeral: readYesNo(root, "ephemeral"),
    private: readYesNo(root, "private"),
    uuid: readUuid(root),
    description: childText(root, "description"),
    usage: readUsage(root),
  };
}

/** Writes a secret document as libvirt does. */
export function writeSecret(secret: SecretDocument): string {
  const writer = new XmlWriter()
    .open("secret", { ephemeral: yesNo(secret.ephemeral), private: yesNo(secret.private) })
    .leaf("uuid", {}, secret.uuid);
  if (secret.description !== null) {
    writer.leaf("description", {}, secret.description);
  }
  const place = USAGE_ID[secret.usage.type];
  if (place !== null) {
    writer.open("usage", { type: secret.usage.type }).leaf(place.element, {}, secret.usage.id).close();
  }
  return writer.close().toString();
}

function readYesNo(root: XmlElement, name: string): boolean {
  const value = root.attributes.get(name) || "no";
  if (value !== "yes" && value !== "no") {
    throw failure(DocumentErrorCode.XML_ERROR, `invalid value of '${name}'`);
  }
  return value === "yes";
}

function yesNo(value: boolean): "yes" | "no" {
  return value ? "yes" : "no";
}

function readUuid(root: XmlElement): string {
  const text = childText(root, "uuid");
  if (text === null) {
    return randomUuid();
  }
  const uuid = parseUuid(text);
  if (uuid === null) {
    throw failure(DocumentErrorCode.INTERNAL, "malformed uuid element");
  }
  return uuid;
}

function readUsage(root: XmlElement): SecretUsage {
  if (child(root, "usage") === null) {
    return { type: "none", id: "" };
  }
  const name = childAttribute(root, "usage", "type");
  if (name === null) {
    throw failure(DocumentErrorCode.XML_ERROR, "unknown secret usage type");
  }
  const type = SECRET_USAGE_TYPES.find((known) => known === name);
  if (type === undefined) {
    throw failure(DocumentErrorCode.CONFIG_UNSUPPORTED, `unknown secret usage type ${name}`);
  }
  const place = USAGE_ID[type];
  if (place === null) {
    return { type, id: "" };
  }
  const id = childText(root, `usage/${place.element}`);
  if (id === null) {
    throw failure(DocumentErrorCode.INTERNAL, place.missing);
  }
  return { type, id };
}

function failure(code: DocumentErrorCode, detail: string): DocumentError {
  return new DocumentError(code, DocumentErrorDomain.SECRET, detail);
}
