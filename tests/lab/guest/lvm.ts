import { writeFileSync } from "node:fs";
import { loadModules } from "./modules.js";
import { run } from "./run.js";
import { settle } from "./udev.js";

export interface VolumeGroup extends Disposable {
  readonly name: string;
}

/**
 * Without dmeventd, which the first snapshot would start and which keeps all its memory locked, and without copies of the
 * metadata in /etc/lvm: neither is wanted in a guest that lives for a suite, and both cost time.
 */
const CONFIGURATION = `activation {
  monitoring = 0
}
backup {
  backup = 0
  archive = 0
}
`;

/** What LVM's targets need of the kernel, and settings for a guest. Before any command of LVM. */
export function prepareLvm(): void {
  loadModules("dm-mod", "dm-thin-pool", "dm-snapshot", "dm-mirror");
  writeFileSync("/etc/lvm/lvmlocal.conf", CONFIGURATION);
}

/** A volume group over whole devices; `dispose` removes it with all its volumes, and the marks on the devices. */
export function volumeGroup(name: string, devices: readonly string[]): VolumeGroup {
  prepareLvm();
  run("pvcreate", ["--quiet", "--yes", ...devices]);
  run("vgcreate", ["--quiet", name, ...devices]);
  settle();
  return {
    name,
    [Symbol.dispose]() {
      run("vgremove", ["--quiet", "--force", "--force", "--yes", name]);
      run("pvremove", ["--quiet", "--force", "--force", "--yes", ...devices]);
    },
  };
}

/** The fields that `lvs -o` names, a row for each volume of the group. */
export function listVolumes(group: string, fields: readonly string[]): readonly (readonly string[])[] {
  const output = run("lvs", [
    "--noheadings",
    "--separator",
    "#",
    "--units",
    "b",
    "--nosuffix",
    "-o",
    fields.join(","),
    group,
  ]);
  return output
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => line.trim().split("#"));
}
