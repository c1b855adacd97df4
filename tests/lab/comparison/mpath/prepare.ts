import { startMultipath, waitForMaps } from "../../guest/multipath.js";
import { debugHosts } from "../../guest/scsi.js";
import { settle, startUdev } from "../../guest/udev.js";
import type { Preparation } from "../preparation.js";

/** One disk by two paths, which multipathd makes the map mpatha. */
export const preparation: Preparation = {
  async setUp() {
    startUdev({ multipath: true });
    startMultipath();
    debugHosts({ hosts: 2, luns: 1, sizeMb: 32, sameDisk: true });
    await waitForMaps(1);
  },

  renew: () => ({ environment: {}, end: settle }),
};
