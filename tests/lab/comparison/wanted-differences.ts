import type { WantedDifference } from "../../compatibility/wanted-differences.js";

/**
 * Where cisternd is meant to answer otherwise than libvirtd 9.0.0 on storage of the lab, as in
 * tests/compatibility/wanted-differences.ts. `script` is "type/file name".
 */
export const WANTED_DIFFERENCES: readonly WantedDifference[] = [];
