import type { StorageDriver } from "./driver.js";
import { buildTarget, checkBuildFlags, deleteTarget, nothingToFormat } from "./shared/build-directory.js";
import { FILE_TRAITS, fileVolumes } from "./shared/file-volumes.js";
import { measureDirectory, scanDirectory } from "./shared/scan-directory.js";
import { targetPath } from "./shared/target-directory.js";

/** Pools of type "dir": a directory whose entries are the volumes. There is nothing to start. */
export const directoryDriver: StorageDriver = {
  type: "dir",
  traits: FILE_TRAITS,

  async check(pool, host) {
    return host.facts(targetPath(pool)).then(
      () => true,
      () => false,
    );
  },

  scan: scanDirectory,
  measure: measureDirectory,

  /** What the pool lay on may be unmounted now. */
  async stop(pool, host) {
    await host.letGo?.(targetPath(pool));
  },

  async build(pool, host, flags, signal) {
    checkBuildFlags(flags);
    await buildTarget(pool, host, signal);
    // libvirt makes the directory before it says that there is nothing to format.
    if (flags !== 0) throw await nothingToFormat(pool, host);
  },

  delete: deleteTarget,

  volumes: fileVolumes,
};
