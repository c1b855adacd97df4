import { rmSync } from "node:fs";
import { backingStore, prepareTarget } from "../../guest/lio.js";
import { attempt, run } from "../../guest/run.js";
import { loopHost } from "../../guest/scsi.js";
import { settle, startUdev } from "../../guest/udev.js";
import type { Preparation } from "../preparation.js";

const MIB = 1024 * 1024;
const DISKS = ["/dev/sda", "/dev/sdb"] as const;

/** Two empty SCSI disks of 256 MiB, DISK_A and DISK_B: on the names of loop devices libvirtd does not delete partitions. */
export const preparation: Preparation = {
  setUp() {
    // It makes udev read a table anew whenever parted has looked at it; then libvirtd misses partitions that are just away.
    rmSync("/usr/lib/udev/rules.d/60-block.rules");
    startUdev();
    prepareTarget();
    loopHost("naa.5001405000000001", [
      backingStore("disk-a", 256 * MIB, "LABDISKA"),
      backingStore("disk-b", 256 * MIB, "LABDISKB"),
    ]);
  },

  renew() {
    for (const disk of DISKS) {
      run("dd", ["if=/dev/zero", `of=${disk}`, "bs=1M", "count=256", "conv=fsync", "status=none"]);
      attempt("blockdev", ["--rereadpt", disk]);
    }
    settle();
    return { environment: { DISK_A: DISKS[0], DISK_B: DISKS[1] }, end: settle };
  },
};
