// The kernel's own SCSI target (LIO), set up by writing to configfs: its administration program needs services of a
// running system, and these are a few files.

import { existsSync, mkdirSync, rmdirSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadModules } from "./modules.js";
import { requireGuest, run } from "./run.js";

export const TARGET = "/sys/kernel/config/target";

/** Loads the target with the named fabrics' modules, and mounts configfs. May be called again. */
export function prepareTarget(...fabricModules: readonly string[]): void {
  loadModules("configfs", "target_core_mod", "target_core_file", ...fabricModules);
  if (!existsSync(join("/sys/kernel/config", "target"))) run("mount", ["-t", "configfs", "none", "/sys/kernel/config"]);
  mkdirSync("/etc/target", { recursive: true });
}

/** A file that LIO can give out as a disk, on any fabric and on several at once. */
export interface BackingStore extends Disposable {
  readonly name: string;
  readonly path: string;
}

/**
 * @param name unique among all
 * @param sizeBytes of the file /tmp/<name>.lio, which is made sparse
 * @param serial what the disk says of itself; the hexadecimal digits in it make its WWN and so its names in /dev/disk/by-id
 */
export function backingStore(name: string, sizeBytes: number, serial: string): BackingStore {
  requireGuest();
  const file = `/tmp/${name}.lio`;
  run("truncate", ["-s", String(sizeBytes), file]);
  const path = join(TARGET, "core/fileio_0", name);
  mkdirSync(path, { recursive: true });
  // Buffered: a write is done when it is in the guest's memory, where the file lies anyway.
  write(path, "control", `fd_dev_name=${file},fd_dev_size=${sizeBytes},fd_buffered_io=1`);
  write(path, "wwn/vpd_unit_serial", serial);
  write(path, "enable", "1");
  return {
    name,
    path,
    [Symbol.dispose]() {
      rmdirSync(path);
      run("rm", ["-f", file]);
    },
  };
}

/** Puts a backing store behind a LUN of a target's portal group; `dispose` takes it away again. */
export function mapLun(portalGroup: string, lun: number, store: BackingStore): Disposable {
  const path = join(portalGroup, "lun", `lun_${lun}`);
  mkdirSync(path, { recursive: true });
  symlinkSync(store.path, join(path, store.name));
  return {
    [Symbol.dispose]() {
      unlinkSync(join(path, store.name));
      rmdirSync(path);
    },
  };
}

/** Writes one attribute. */
export function write(directory: string, attribute: string, value: string): void {
  writeFileSync(join(directory, attribute), `${value}\n`);
}
