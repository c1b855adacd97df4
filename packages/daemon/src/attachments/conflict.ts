import type { Attachment } from "./model.js";

export type ConflictKind =
  /** Two guests write to it, or one writes what another reads, and they do not all say that they share it. */
  | "shared-writing"
  /** The guest takes the image for another format than the volume has. */
  | "format-mismatch"
  /** It is not known where a disk leads: a missing file, a broken chain, storage that does not answer. */
  | "unresolved"
  /** The pool is not started with the host. */
  | "missing-at-next-boot"
  | "twice-in-one-guest"
  | "disk-and-partition";

/**
 * Something that costs data or keeps a guest from running ("error"), or will when a guest is started ("warning"); or that costs
 * neither and is good to know ("note").
 */
export interface Conflict {
  readonly kind: ConflictKind;
  readonly severity: "error" | "warning" | "note";
  /** Names of the guests. */
  readonly domains: readonly string[];
  /** The first that it is about; null: outside all pools. */
  readonly volume: { readonly pool: string; readonly volume: string } | null;
  readonly place: string;
  /** One sentence for people. */
  readonly detail: string;
}

export function conflictOf(
  kind: ConflictKind,
  severity: Conflict["severity"],
  users: readonly Attachment[],
  detail: string,
): Conflict {
  const [first] = users;
  const domains = [...new Set(users.map(({ domain }) => domain.name))].sort();
  return { kind, severity, domains, volume: first?.volumes[0] ?? null, place: first?.place ?? "", detail };
}
