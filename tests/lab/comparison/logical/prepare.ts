import { loopDisk } from "../../guest/loop.js";
import { prepareLvm } from "../../guest/lvm.js";
import { attempt, run } from "../../guest/run.js";
import { settle, startUdev } from "../../guest/udev.js";
import type { Preparation } from "../preparation.js";

const MIB = 1024 * 1024;

/** Two empty disks, DISK_A and DISK_B; no volume group. */
export const preparation: Preparation = {
  setUp() {
    startUdev();
    prepareLvm();
  },

  renew() {
    const disks = [loopDisk(256 * MIB), loopDisk(256 * MIB)] as const;
    return {
      environment: { DISK_A: disks[0].device, DISK_B: disks[1].device },
      end() {
        const groups = run("vgs", ["--noheadings", "-o", "vg_name"]).split("\n");
        for (const group of groups.map((name) => name.trim()).filter((name) => name !== "")) {
          run("vgremove", ["--quiet", "--force", "--force", "--yes", group]);
        }
        settle();
        for (const disk of disks) {
          attempt("pvremove", ["--quiet", "--force", "--force", "--yes", disk.device]);
          disk[Symbol.dispose]();
        }
        settle();
      },
    };
  },
};
