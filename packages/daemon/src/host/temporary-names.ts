import { randomBytes } from "node:crypto";

/**
 * Names that files have while they are being made. Nobody else gives such names, so that what is left after a power cut or a
 * crash can be told from everything else: scans leave it out, and recovery removes it.
 */

const atomicWritePrefix = ".cistern-new-";
const partOf = /^\.cistern-[0-9a-f]{16}\.part$/;
const atomicWrite = /^\.cistern-new-[0-9a-f]{16}$/;

/** For something that grows under this name until `Directory.publishEntry` gives it its own. */
export function temporaryName(): string {
  return `.cistern-${randomBytes(8).toString("hex")}.part`;
}

export function isTemporaryName(name: string): boolean {
  return partOf.test(name);
}

/** For the new content of a file, until it replaces the old one. */
export function atomicWriteName(): string {
  return atomicWritePrefix + randomBytes(8).toString("hex");
}

/** Whether nobody else may give a file this name. */
export function isReservedName(name: string): boolean {
  return isTemporaryName(name) || isLeftoverOfAtomicWrite(name);
}

/** Whether an entry is what a `writeFileAtomically` left behind that a power cut ended. */
export function isLeftoverOfAtomicWrite(name: string): boolean {
  return atomicWrite.test(name);
}
