import { loopDisk } from "../../guest/loop.js";
import { attempt } from "../../guest/run.js";
import { settle, startUdev } from "../../guest/udev.js";
import type { Preparation } from "../preparation.js";

const MIB = 1024 * 1024;

/** Two empty devices, DISK_A and DISK_B. */
export const preparation: Preparation = {
  setUp: () => startUdev(),

  renew() {
    const disks = [loopDisk(400 * MIB), loopDisk(400 * MIB)] as const;
    settle();
    return {
      environment: { DISK_A: disks[0].device, DISK_B: disks[1].device },
      end() {
        for (const disk of disks) {
          attempt("umount", [disk.device]);
          disk[Symbol.dispose]();
        }
      },
    };
  },
};
