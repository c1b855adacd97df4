import type { PoolType } from "./pool.js";
import type { VolumeType } from "./volume.js";

const USUAL_TYPE: { readonly [Type in PoolType]: VolumeType } = {
  dir: "file",
  fs: "file",
  netfs: "file",
  logical: "block",
  disk: "block",
  iscsi: "block",
  scsi: "block",
  mpath: "block",
  rbd: "network",
  sheepdog: "network",
  gluster: "network",
  zfs: "block",
  vstorage: "file",
  "iscsi-direct": "network",
};

/** What a volume of that format is in a pool of that type. Directories and ploop images are kinds of their own. */
export function volumeTypeOf(poolType: PoolType, format: string | null): VolumeType {
  const usual = USUAL_TYPE[poolType];
  if (format === "dir" && poolType !== "disk") {
    return usual === "network" ? "netdir" : "dir";
  }
  return format === "ploop" && usual === "file" ? "ploop" : usual;
}
