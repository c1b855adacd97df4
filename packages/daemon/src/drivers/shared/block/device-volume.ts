import type { VolumeDocument } from "@cistern/documents";
import { plainTarget } from "../volume-document.js";

/** A volume that is a device, before its size is known. `key` null: its path. */
export function deviceVolume(name: string, path: string, key: string | null = null): VolumeDocument {
  return {
    type: "block",
    name,
    key: key ?? path,
    source: [],
    capacityBytes: 0n,
    allocationBytes: 0n,
    hasAllocation: true,
    physicalBytes: 0n,
    target: plainTarget(path, null),
    backingStore: null,
  };
}
