import { UNGUARDED, type UseGuard } from "../pools/use-guard.js";
import { AttachmentMap, type AttachmentParts } from "./attachment-map.js";
import { AttachmentGuard, type GuardSettings } from "./guard.js";
import type { Attachments } from "./model.js";
import { NO_ATTACHMENTS } from "./none.js";
import { domainSource, type SourceParts } from "./sources/open-sources.js";

export interface OpenAttachments {
  readonly attachments: Attachments;
  readonly guard: UseGuard;
  /** Reads the sources: resolves when each has been read, or has not answered in time. @throws UnusableSource */
  open(): Promise<void>;
  close(): Promise<void>;
}

/**
 * All of this room. Without sources nothing is looked at and nothing is refused.
 * @throws UnusableSource naming a source that can be none, and why
 */
export async function attachmentsOf(
  names: readonly string[],
  parts: AttachmentParts & SourceParts & { readonly guard: GuardSettings },
): Promise<OpenAttachments> {
  if (names.length === 0) {
    return { attachments: NO_ATTACHMENTS, guard: UNGUARDED, open: async () => {}, close: async () => {} };
  }
  const sources = await Promise.all(names.map((name) => domainSource(name, parts)));
  const attachments = new AttachmentMap(sources, parts);
  return {
    attachments,
    guard: new AttachmentGuard(attachments, parts.guard),
    open: () => attachments.open(),
    close: () => attachments.close(),
  };
}
