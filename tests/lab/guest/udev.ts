import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { loadModules } from "./modules.js";
import { run, runDaemon } from "./run.js";

const RULES = "/usr/lib/udev/rules.d";

/**
 * The rules that disks need; with all of the machine's, an LVM command takes twice as long. 60-persistent-storage makes
 * /dev/disk/by-*, 55 to 95-dm and 56-lvm what LVM waits for.
 */
const DISK_RULES = [
  "50-udev-default.rules",
  "55-dm.rules",
  "56-lvm.rules",
  "60-block.rules",
  "60-persistent-storage.rules",
  "60-persistent-storage-dm.rules",
  "95-dm-notify.rules",
];
const MULTIPATH_RULES = ["60-multipath.rules", "56-dm-mpath.rules", "56-dm-parts.rules", "60-kpartx.rules"];
const ZFS_RULES = ["60-zvol.rules", "90-zfs.rules"];

/**
 * Starts udevd with the rules for disks, and waits until it has named those that are there. First of all fixtures: without
 * it there is no /dev/disk, and LVM waits for answers that nobody gives.
 */
export function startUdev(also: { readonly multipath?: boolean; readonly zfs?: boolean } = {}): void {
  loadModules("sd_mod", "sg");
  const wanted = [...DISK_RULES, ...(also.multipath ? MULTIPATH_RULES : []), ...(also.zfs ? ZFS_RULES : [])];
  for (const rule of readdirSync(RULES)) if (!wanted.includes(rule)) rmSync(join(RULES, rule), { recursive: true });
  runDaemon("/lib/systemd/systemd-udevd", ["--daemon"]);
  run("udevadm", ["trigger", "--subsystem-match=block", "--subsystem-match=scsi", "--subsystem-match=misc"]);
  settle();
}

/** Waits until udev has worked off what has happened so far. */
export function settle(): void {
  run("udevadm", ["settle", "--timeout=30"]);
}
