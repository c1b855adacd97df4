// SCSI hosts without hardware: tcm_loop (file backed, quick) and scsi_debug (many knobs, memory backed).

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BackingStore, mapLun, prepareTarget, TARGET, write } from "./lio.js";
import { loadModule, loadModules } from "./modules.js";
import { waitFor } from "./run.js";
import { settle } from "./udev.js";

const HOSTS = "/sys/class/scsi_host";

export interface LoopHost {
  /** Such as "host0". */
  readonly host: string;
  /** Adds a disk, which the kernel finds by itself. */
  addLun(lun: number, store: BackingStore): void;
}

/**
 * A SCSI host of LIO's loopback fabric.
 *
 * @param wwn such as naa.5001405000000001, one for each host
 * @param stores in the order of their LUNs, from 0
 */
export function loopHost(wwn: string, stores: readonly BackingStore[]): LoopHost {
  prepareTarget("tcm_loop");
  loadModules("sd_mod", "sg");
  const before = new Set(scsiHosts());
  const group = join(TARGET, "loopback", wwn, "tpgt_1");
  mkdirSync(group, { recursive: true });
  write(group, "nexus", wwn);
  const host = scsiHosts().find((name) => !before.has(name));
  if (host === undefined) throw new Error(`tcm_loop made no SCSI host for "${wwn}"`);
  const addLun = (lun: number, store: BackingStore) => {
    mapLun(group, lun, store);
    settle();
  };
  for (const [lun, store] of stores.entries()) addLun(lun, store);
  return { host, addLun };
}

/**
 * Hosts of scsi_debug; once in a guest's life.
 *
 * @param options hosts, LUNs of each, size; `sameDisk`: all hosts show one disk, which makes paths for multipath
 */
export function debugHosts(options: {
  readonly hosts: number;
  readonly luns: number;
  readonly sizeMb: number;
  readonly sameDisk?: boolean;
}): readonly string[] {
  loadModules("sd_mod", "sg");
  const before = new Set(scsiHosts());
  loadModule(
    "scsi_debug",
    // The default delay is a timer tick for every command, which makes mkfs take seconds.
    ...["delay=0", `add_host=${options.hosts}`, "num_tgts=1", `max_luns=${options.luns}`],
    ...[`dev_size_mb=${options.sizeMb}`, `vpd_use_hostno=${options.sameDisk ? 0 : 1}`],
  );
  settle();
  return scsiHosts().filter((name) => !before.has(name));
}

/** All SCSI hosts, in the order of their numbers. */
export function scsiHosts(): readonly string[] {
  return readdirSync(HOSTS).sort((a, b) => Number(a.slice(4)) - Number(b.slice(4)));
}

/** The disks of a host, such as ["sda", "sdb"]. */
export function disksOf(host: string): readonly string[] {
  const number = host.slice("host".length);
  return readdirSync("/sys/class/scsi_disk")
    .filter((address) => address.startsWith(`${number}:`))
    .flatMap((address) => readdirSync(join("/sys/class/scsi_disk", address, "device/block")))
    .sort();
}

/** Has the host look for disks. */
export function rescan(host: string): void {
  writeFileSync(join(HOSTS, host, "scan"), "- - -");
  settle();
}

/** Takes a disk from the system as if it had been pulled out; a rescan finds it again. */
export async function removeDisk(name: string): Promise<void> {
  writeFileSync(join("/sys/block", name, "device/delete"), "1");
  await waitFor(`the removal of ${name}`, () => !readdirSync("/sys/block").includes(name));
  settle();
}

/** What a host says of itself, such as its `proc_name` or `unique_id`. */
export function hostAttribute(host: string, attribute: string): string {
  return readFileSync(join(HOSTS, host, attribute), "utf8").trim();
}
