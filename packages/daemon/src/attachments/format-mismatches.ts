import { DocumentError, diskOfVolume } from "@cistern/documents";
import type { PoolRegistry } from "../pools/registry.js";
import { declaredFormat, isDrive, isNow, titleOf } from "./attachment.js";
import { type Conflict, conflictOf } from "./conflict.js";
import type { Attachment } from "./model.js";

/** Where a guest takes a volume's bytes for what they are not. */
export function formatMismatches(all: readonly Attachment[], registry: PoolRegistry): Conflict[] {
  return all.filter(isDrive).flatMap((attachment) => {
    const right = formatForGuests(attachment, registry);
    const declared = declaredFormat(attachment);
    if (right === null || declared === right) return [];
    const detail = `'${attachment.domain.name}' reads ${titleOf(attachment)} as ${declared} (${attachment.target}), but it is ${right}`;
    return [conflictOf("format-mismatch", isNow(attachment.when) ? "error" : "warning", [attachment], detail)];
  });
}

/** null: devices and what is in no pool say nothing of their content. */
function formatForGuests({ volumes: [first], target }: Attachment, registry: PoolRegistry): string | null {
  if (first === undefined || target === null) return null;
  const pool = registry.findByName(first.pool);
  const volume = pool?.volumes.get(first.volume);
  if (pool === undefined || volume === undefined) return null;
  try {
    const { driver, source } = diskOfVolume(pool.live, volume.document, { target });
    return source.type === "file" ? driver.type : null;
  } catch (error) {
    // No guest can use such a volume by its format.
    if (error instanceof DocumentError) return null;
    throw error;
  }
}
