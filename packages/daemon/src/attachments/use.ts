import type { NetworkSource } from "./identity/remote.js";
import type { Attachment } from "./model.js";

/** An attachment before it is said whose it is and which volumes it is, which both may change without it. */
export interface Use extends Omit<Attachment, "domain" | "volumes"> {
  /** Without symlinks; null: no path of this host. */
  readonly realPath: string | null;
  /** See `Whereabouts.isUnknown`; also: what lies below it. */
  readonly isUnknown: boolean;
  /** What it is on other machines' storage; null: it is here. */
  readonly remote: NetworkSource | null;
  /** As a document names a volume; null: it names something else. */
  readonly named: { readonly pool: string; readonly volume: string } | null;
}
