import type { FileFacts } from "../../host/index.js";

/** What a name leads to on this host, or beyond it. */
export interface Whereabouts {
  /** As a person knows it: a path, or a URI. */
  readonly place: string;
  /** See `Attachment.identity`. */
  readonly identity: string | null;
  /** On this host, without symlinks; null: it has no path here. */
  readonly realPath: string | null;
  /** null: it is not there, or could not be looked at. */
  readonly facts: FileFacts | null;
  /** Why it is not known where it leads. */
  readonly problem: string | null;
  /** It may be anything. What is not there is known to be nothing. */
  readonly isUnknown: boolean;
}

/** It leads nowhere that could be named. */
export function nowhere(place: string, problem: string): Whereabouts {
  return { place, identity: null, realPath: null, facts: null, problem, isUnknown: true };
}
