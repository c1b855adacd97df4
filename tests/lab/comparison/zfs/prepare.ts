import { loopDisk } from "../../guest/loop.js";
import { attempt, run } from "../../guest/run.js";
import { settle, startUdev } from "../../guest/udev.js";
import { prepareZfs } from "../../guest/zfs.js";
import type { Preparation } from "../preparation.js";

const MIB = 1024 * 1024;

/** Two empty disks, DISK_A and DISK_B; no zpool. */
export const preparation: Preparation = {
  setUp() {
    startUdev({ zfs: true });
    prepareZfs();
  },

  renew() {
    const disks = [loopDisk(256 * MIB), loopDisk(256 * MIB)] as const;
    return {
      environment: { DISK_A: disks[0].device, DISK_B: disks[1].device },
      end() {
        const pools = run("zpool", ["list", "-H", "-o", "name"]).split("\n");
        for (const pool of pools.filter((name) => name !== "")) run("zpool", ["destroy", "-f", pool]);
        settle();
        for (const disk of disks) {
          attempt("zpool", ["labelclear", "-f", disk.device]);
          disk[Symbol.dispose]();
        }
      },
    };
  },
};
