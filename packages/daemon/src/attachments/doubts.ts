import type { Pool } from "../pools/pool.js";
import type { Attachments } from "./model.js";

/**
 * Why it is not known of a volume that nobody uses it, one sentence each; none: it is. Guests that a silent source told of
 * before count all the same, but it may have others by now.
 */
export function doubtsOf(attachments: Pick<Attachments, "sources" | "unknowns">): readonly string[] {
  if (isAnybodyAsked(attachments)) return attachments.unknowns();
  return ["no domain source is configured, so nobody was asked who uses volumes"];
}

/** The same of overlays, which need what they are built on. */
export function doubtsAboutOverlays(pools: Iterable<Pool>): string[] {
  const unseen = [...pools].filter((pool) => pool.active && pool.isUnseen);
  return unseen.map(({ name }) => `what is in pool '${name}' is not known: it was not seen since the daemon began`);
}

/** Whether there is a domain source, be it one that does not answer. */
export function isAnybodyAsked(attachments: Pick<Attachments, "sources">): boolean {
  return attachments.sources().length > 0;
}
