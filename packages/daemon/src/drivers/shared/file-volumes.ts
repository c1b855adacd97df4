import type { VolumeOperations } from "../driver.js";
import { allocateFile } from "./allocate-file.js";
import { hasBlocksBehind } from "./blocks-behind.js";
import { fillFile } from "./fill-file.js";
import { openForDownload, openForUpload, wipeEntry } from "./open-volume.js";
import { refreshFile } from "./refresh-file.js";
import { removeFile } from "./remove-file.js";
import { resizeFile } from "./resize-file.js";

/** Volumes that are the entries of a directory, whatever file system that is on. */
export const fileVolumes = {
  allocate: allocateFile,
  fill: fillFile,
  refresh: refreshFile,
  remove: removeFile,
  resize: resizeFile,
  hasBlocksBehind,
  wipe: wipeEntry,
  openForDownload,
  openForUpload,
} satisfies VolumeOperations;

export const FILE_TRAITS = { volumeKind: "file", allowsZeroCapacity: true, clones: true } as const;
