import type { WantedDifference } from "../../compatibility/wanted-differences.js";

const OPEN_VOLUMES =
  "issue of host storage, 2: 'a volume group with open volumes is never deactivated under them'; libvirt's own words for a volume in use";

/**
 * Where cisternd is meant to answer otherwise than libvirtd 9.0.0 on storage of the lab, as in
 * tests/compatibility/wanted-differences.ts. `script` is "type/file name".
 */
export const WANTED_DIFFERENCES: readonly WantedDifference[] = [
  {
    script: "logical/failures.py",
    step: "delete while it is open",
    ours: "volume 'v' is still in use: 'v' is open",
    orderedBy: OPEN_VOLUMES,
  },
];
