import type { Attachments } from "./model.js";

/**
 * Why it is not known of a volume that nobody uses it, one sentence each; none: it is. Guests that a silent source told of
 * before count all the same, but it may have others by now.
 */
export function doubtsOf(attachments: Pick<Attachments, "sources" | "domains">): string[] {
  const sources = attachments.sources();
  if (sources.length === 0) return ["no domain source is configured, so nobody was asked who uses volumes"];
  const silent = sources
    .filter(({ answers }) => !answers)
    .map(({ name, reason }) => `domain source '${name}' does not answer${reason === null ? "" : `: ${reason}`}`);
  const unread = attachments
    .domains()
    .flatMap(({ name, live, persistent }) =>
      [...(live?.unreadDisks ?? []), ...(persistent?.unreadDisks ?? [])].map(
        ({ target, reason }) => `what guest '${name}' uses as ${target ?? "a disk"} is not understood: ${reason}`,
      ),
    );
  return [...silent, ...new Set(unread)];
}
