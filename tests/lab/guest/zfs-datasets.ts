import { loopDisk } from "./loop.js";
import { loadModules } from "./modules.js";
import { attempt, run } from "./run.js";

export interface Zpool extends Disposable {
  readonly name: string;
}

/** A zpool over one loop device in the guest's memory. Gone with `dispose`. */
export function zpool(name: string, sizeBytes: number): Zpool {
  loadModules("zfs");
  const disk = loopDisk(sizeBytes);
  run("zpool", ["create", "-f", name, disk.device]);
  return {
    name,
    [Symbol.dispose]() {
      attempt("zpool", ["destroy", "-f", name]);
      disk[Symbol.dispose]();
    },
  };
}

/** Names of the datasets of a kind ("volume", "filesystem", "snapshot"), wherever below `dataset`. */
export function listDatasets(dataset: string, kind: string): readonly string[] {
  const output = run("zfs", ["list", "-H", "-r", "-t", kind, "-o", "name", dataset]);
  return output.split("\n").filter((name) => name !== "");
}

export function property(dataset: string, name: string): string {
  return run("zfs", ["get", "-Hp", "-o", "value", name, dataset]).trim();
}
