import { backingStore, prepareTarget } from "../../guest/lio.js";
import { loopHost } from "../../guest/scsi.js";
import { settle, startUdev } from "../../guest/udev.js";
import type { Preparation } from "../preparation.js";

const MIB = 1024 * 1024;
let host = "";

/** A SCSI host, HOST, with two disks of 32 and 64 MiB. */
export const preparation: Preparation = {
  setUp() {
    startUdev();
    prepareTarget();
    const stores = [backingStore("scsi-a", 32 * MIB, "LABSCSIA"), backingStore("scsi-b", 64 * MIB, "LABSCSIB")];
    host = loopHost("naa.5001405000000002", stores).host;
    settle();
  },

  renew: () => ({ environment: { HOST: host }, end: settle }),
};
