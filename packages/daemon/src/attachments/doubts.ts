import type { Attachments } from "./model.js";

/**
 * Why it is not known of a volume that nobody uses it, one sentence each; none: it is. Guests that a silent source told of
 * before count all the same, but it may have others by now.
 */
export function doubtsOf(attachments: Pick<Attachments, "sources" | "unknowns">): readonly string[] {
  if (attachments.sources().length > 0) return attachments.unknowns();
  return ["no domain source is configured, so nobody was asked who uses volumes"];
}
