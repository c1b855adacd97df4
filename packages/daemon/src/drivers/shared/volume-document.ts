import type { Permissions, Timestamps, VolumeDocument, VolumeEncryption, VolumeTarget } from "@cistern/documents";
import type { FileFacts } from "../../host/host.js";
import type { ImageFacts } from "../../images/image-facts.js";
import { guestCapacityBytes } from "../../images/probe.js";

/** Documents of volumes that are entries of a directory. */

export function permissionsOf(facts: FileFacts): Permissions {
  return { mode: facts.mode & 0o777, owner: facts.owner, group: facts.group, label: facts.label };
}

export function timestampsOf(facts: FileFacts): Timestamps {
  // libvirt reads no birth time on Linux.
  return {
    accessNs: facts.accessNs,
    modificationNs: facts.modificationNs,
    changeNs: facts.changeNs,
    birthNs: 0n,
  };
}

/** A file or block device below the pool's target. The backing store's own facts are filled in by `backing-stores.ts`. */
export function fileVolume(
  name: string,
  path: string,
  facts: FileFacts,
  sizeBytes: bigint,
  image: ImageFacts,
): VolumeDocument {
  return {
    type: "file",
    name,
    key: path,
    source: [],
    ...sizesOf(facts, sizeBytes),
    capacityBytes: guestCapacityBytes(image, sizeBytes),
    hasAllocation: true,
    target: {
      path,
      format: image.format,
      permissions: permissionsOf(facts),
      timestamps: timestampsOf(facts),
      encryption: image.encryption === null ? null : discoveredEncryption(image.encryption),
      compat: image.compat,
      clusterSizeBytes: image.clusterSizeBytes,
      features: image.features,
      noCopyOnWrite: false,
    },
    backingStore: null,
  };
}

/** A directory, or a ploop image, which is one. */
export function directoryVolume(name: string, path: string, facts: FileFacts): VolumeDocument {
  return {
    type: "dir",
    name,
    key: path,
    source: [],
    ...sizesOf(facts, 0n),
    capacityBytes: 0n,
    hasAllocation: true,
    target: { ...plainTarget(path, "dir"), permissions: permissionsOf(facts), timestamps: timestampsOf(facts) },
    backingStore: null,
  };
}

/** What a file or a device takes on its storage; a directory takes nothing. */
export function sizesOf(
  facts: FileFacts,
  sizeBytes: bigint,
): Pick<VolumeDocument, "allocationBytes" | "physicalBytes"> {
  if (facts.kind === "directory") return { allocationBytes: 0n, physicalBytes: 0n };
  if (facts.kind === "block") return { allocationBytes: sizeBytes, physicalBytes: sizeBytes };
  return { allocationBytes: facts.allocatedBytes, physicalBytes: sizeBytes };
}

/** A target of which nothing but place and format is known. */
export function plainTarget(path: string, format: string | null): VolumeTarget {
  return {
    path,
    format,
    permissions: { mode: null, owner: null, group: null, label: null },
    timestamps: null,
    encryption: null,
    compat: null,
    clusterSizeBytes: 0n,
    features: null,
    noCopyOnWrite: false,
  };
}

/** Encryption seen in a header: which secret opens it is not written there. */
function discoveredEncryption(format: "luks" | "qcow"): VolumeEncryption {
  return { format, engine: null, secrets: [], cipher: null, ivgen: null };
}
