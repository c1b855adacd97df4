import type { PoolDocument, PoolType, VolumeDocument, VolumeTarget } from "@cistern/documents";

/** A definition with nothing but what every one has. */
export function pool(type: PoolType, targetPath: string | null, more: Partial<PoolDocument> = {}): PoolDocument {
  return {
    type,
    name: "ep",
    uuid: "0b718b1e-db3c-4879-af59-dffe5a4894da",
    capacityBytes: 0n,
    allocationBytes: 0n,
    availableBytes: 0n,
    copyOnWrite: null,
    source: {
      hosts: [],
      devices: [],
      directory: null,
      adapter: null,
      name: null,
      initiatorIqn: null,
      format: null,
      authentication: null,
      protocolVersion: null,
      vendor: null,
      product: null,
    },
    target: { path: targetPath, permissions: { mode: null, owner: null, group: null, label: null } },
    refreshVolumeAllocation: null,
    mountOptions: [],
    rbdOptions: [],
    ...more,
  };
}

/** A pool of a whole disk. `format`: the label; `targetPath`: where the stable names of its partitions are. */
export function diskPool(
  device: string,
  format: string,
  targetPath = "/dev",
  partSeparator: boolean | null = null,
): PoolDocument {
  const plain = pool("disk", targetPath);
  const devices = [{ path: device, partSeparator, freeExtents: [] }];
  return { ...plain, source: { ...plain.source, devices, format } };
}

export interface Wanted {
  readonly capacityBytes?: bigint;
  /** Not said: fully allocated. */
  readonly allocationBytes?: bigint;
  readonly format?: string;
  readonly mode?: number;
  readonly owner?: number;
  readonly group?: number;
  readonly compat?: string;
  readonly features?: VolumeTarget["features"];
  readonly clusterSizeBytes?: bigint;
  readonly noCopyOnWrite?: boolean;
  readonly encryption?: VolumeTarget["encryption"];
  readonly backing?: { readonly path: string; readonly format: string };
}

/** A volume as a caller's document wants it. */
export function volume(name: string, wanted: Wanted = {}): VolumeDocument {
  const capacityBytes = wanted.capacityBytes ?? 1_048_576n;
  const { backing } = wanted;
  return {
    type: "file",
    name,
    key: null,
    source: [],
    capacityBytes,
    allocationBytes: wanted.allocationBytes ?? capacityBytes,
    hasAllocation: wanted.allocationBytes !== undefined,
    physicalBytes: 0n,
    target: {
      ...target(null, wanted.format ?? "raw"),
      permissions: {
        mode: wanted.mode ?? null,
        owner: wanted.owner ?? null,
        group: wanted.group ?? null,
        label: null,
      },
      encryption: wanted.encryption ?? null,
      compat: wanted.compat ?? null,
      clusterSizeBytes: wanted.clusterSizeBytes ?? 0n,
      features: wanted.features ?? null,
      noCopyOnWrite: wanted.noCopyOnWrite ?? false,
    },
    backingStore: backing === undefined ? null : target(backing.path, backing.format),
  };
}

/** The same of what is there: a file in a directory. */
export function volumeIn(directory: string, name: string, wanted: Wanted = {}): VolumeDocument {
  const document = volume(name, wanted);
  const path = `${directory}/${name}`;
  return { ...document, key: path, target: { ...document.target, path } };
}

function target(path: string | null, format: string): VolumeTarget {
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
