import { DocumentError, DocumentErrorCode, DocumentErrorDomain } from "./errors.js";
import type { PoolDocument } from "./pool.js";
import { readPool, readPoolElement } from "./pool-reader.js";
import { writePool, writePoolElement } from "./pool-writer.js";
import { child, type XmlElement } from "./xml/element.js";
import { parseDocument } from "./xml/parse.js";
import { XmlWriter } from "./xml/write.js";

/**
 * libvirt's files: a definition (`/etc/libvirt/storage/<name>.xml`) is a comment and the pool document; the state of an
 * active pool (`/run/libvirt/storage/<name>.xml`) is the same comment and the document within `<poolstate>`.
 */

/** What a shell would not take as part of one plain word. A name with any of these is not shown as a command's argument. */
const SHELL_CHARACTERS = /[\r\t\n !"#$&'()*;<>?[\\\]^`{|}~]/;

/** The definition's file. */
export function writePoolConfigFile(pool: PoolDocument): string {
  return header(pool) + writePool(pool);
}

/** Reads a definition's file, which is a pool document like any other. */
export function readPoolConfigFile(xml: string): PoolDocument {
  return readPool(xml);
}

/** The file of an active pool. */
export function writePoolStateFile(pool: PoolDocument): string {
  const writer = new XmlWriter().open("poolstate");
  writePoolElement(writer, pool);
  return header(pool) + writer.close().toString();
}

/**
 * Reads an active pool's file. libvirt takes the pool wherever it finds it, so a plain pool document is one, too.
 *
 * @throws DocumentError as `readPool` does; 1/18 where `<poolstate>` holds no `<pool>`
 */
export function readPoolState(xml: string): PoolDocument {
  const root = stateRoot(xml);
  if (root === null) return readPool(xml);
  const pool = child(root, "pool");
  if (pool === null) {
    const detail = "Pool state holds no <pool>";
    throw new DocumentError(DocumentErrorCode.INTERNAL, DocumentErrorDomain.STORAGE, detail);
  }
  return readPoolElement(pool);
}

/** null: the root is another element. */
function stateRoot(xml: string): XmlElement | null {
  try {
    return parseDocument(xml, { kind: "pool state", domain: DocumentErrorDomain.STORAGE, root: "poolstate" });
  } catch (error) {
    if (error instanceof DocumentError && error.libvirtCode === DocumentErrorCode.XML_ERROR) return null;
    throw error;
  }
}

function header({ name, uuid }: PoolDocument): string {
  // "--" would end the comment.
  const shown = SHELL_CHARACTERS.test(name) || name.includes("--") ? uuid : name;
  return [
    "<!--",
    "WARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE",
    "OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:",
    `  virsh pool-edit ${shown}`,
    "or other application using the libvirt API.",
    "-->",
    "",
    "",
  ].join("\n");
}
