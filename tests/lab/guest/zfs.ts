import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./run.js";

/** Each after those it needs, as `modprobe` would do it; they lie outside the index that it reads. */
const MODULES = ["spl", "zavl", "znvpair", "zunicode", "zlua", "zzstd", "zcommon", "icp", "zfs"];

/** Loads ZFS, on the lane "qemu" alone. udev must have been started with `{ zfs: true }`, or no volume gets its name. */
export function prepareZfs(): void {
  const directory = join("/usr/lib/modules", run("uname", ["-r"]).trim(), "extra");
  if (!existsSync(directory)) throw new Error(`There is no ZFS for this kernel: "${directory}" is missing.`);
  const loaded = readFileSync("/proc/modules", "utf8");
  const files = new Set(readdirSync(directory));
  for (const name of MODULES.filter((module) => files.has(`${module}.ko`))) {
    if (!loaded.includes(`${name} `)) run("insmod", [join(directory, `${name}.ko`)]);
  }
}

export interface Zpool extends Disposable {
  readonly name: string;
}

/** A pool of ZFS over whole devices; `dispose` destroys it. Its file systems are not mounted. */
export function zpool(name: string, devices: readonly string[]): Zpool {
  prepareZfs();
  run("zpool", ["create", "-f", "-m", "none", name, ...devices]);
  return { name, [Symbol.dispose]: () => void run("zpool", ["destroy", "-f", name]) };
}
