import { randomBytes } from "node:crypto";

/**
 * The name that a volume has while it is made. Nobody else gives such names, so that what a crash leaves can be told from
 * everything else: it is no volume of the pool, and is removed by what the journal says.
 */
export function temporaryVolumeName(): string {
  return `cistern-new-${randomBytes(8).toString("hex")}`;
}

export function isTemporaryVolumeName(name: string): boolean {
  return /^cistern-new-[0-9a-f]{16}$/.test(name);
}
