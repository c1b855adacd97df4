/**
 * Where cisternd is meant to answer otherwise than libvirtd 9.0.0. Each entry names what orders it; any other difference
 * is a bug, and so is an entry that matches nothing.
 */
export interface WantedDifference {
  /** File name of the script or program. */
  readonly script: string;
  /** The step's label, exactly. */
  readonly step: string;
  /** What our outcome, as JSON, has to contain. */
  readonly ours: string;
  /** The line of the issue or of the list of quirks that orders it. */
  readonly orderedBy: string;
}

export const WANTED_DIFFERENCES: readonly WantedDifference[] = [];
