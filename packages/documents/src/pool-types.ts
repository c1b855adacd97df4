import type { PoolType } from "./pool.js";

/** What a pool type's document holds; the reader, the writer and the capabilities document all go by these facts. */
export interface PoolTypeFacts {
  /** Parts of `<source>` that are written. */
  readonly source: {
    readonly hosts: boolean;
    readonly devices: boolean;
    readonly directory: boolean;
    readonly adapter: boolean;
    readonly name: boolean;
    readonly initiator: boolean;
  };
  /** Source formats in libvirt's order and the one taken where none is said; null where the type has none. */
  readonly formats: { readonly values: readonly string[]; readonly default: string } | null;
  /**
   * `path`: said in the document and required. `none`: storage behind a network library, no `<target>` at all.
   * Else the directory in which the source's name is the path, whatever the document says.
   */
  readonly target: "path" | "none" | "/dev" | "/dev/zvol";
}

/** Volume formats in libvirt's order and the one taken where none is said. */
export interface VolumeFormats {
  readonly values: readonly string[];
  readonly default: string;
}

type SourcePart = keyof PoolTypeFacts["source"];

function source(...parts: SourcePart[]): PoolTypeFacts["source"] {
  const has = (part: SourcePart) => parts.includes(part);
  return {
    hosts: has("hosts"),
    devices: has("devices"),
    directory: has("directory"),
    adapter: has("adapter"),
    name: has("name"),
    initiator: has("initiator"),
  };
}

const FILE_SYSTEM_FORMATS = [
  "auto",
  "ext2",
  "ext3",
  "ext4",
  "ufs",
  "iso9660",
  "udf",
  "gfs",
  "gfs2",
  "vfat",
  "hfs+",
  "xfs",
  "ocfs2",
  "vmfs",
];
const DISK_LABELS = ["unknown", "dos", "dvh", "gpt", "mac", "bsd", "pc98", "sun", "lvm2"];

/** Network file systems, also what `<protocol ver=…>` is checked against. */
export const NETWORK_FILE_SYSTEM_FORMATS = ["auto", "nfs", "glusterfs", "cifs"] as const;

export const poolTypeFacts: Readonly<Record<PoolType, PoolTypeFacts>> = {
  dir: { source: source(), formats: null, target: "path" },
  fs: { source: source("devices"), formats: { values: FILE_SYSTEM_FORMATS, default: "auto" }, target: "path" },
  netfs: {
    source: source("hosts", "directory"),
    formats: { values: NETWORK_FILE_SYSTEM_FORMATS, default: "auto" },
    target: "path",
  },
  logical: {
    source: source("name", "devices"),
    formats: { values: ["unknown", "lvm2"], default: "lvm2" },
    target: "/dev",
  },
  disk: { source: source("devices"), formats: { values: DISK_LABELS, default: "unknown" }, target: "path" },
  iscsi: { source: source("hosts", "devices", "initiator"), formats: null, target: "path" },
  "iscsi-direct": { source: source("hosts", "devices", "initiator"), formats: null, target: "none" },
  scsi: { source: source("adapter"), formats: null, target: "path" },
  mpath: { source: source(), formats: null, target: "path" },
  rbd: { source: source("hosts", "name"), formats: null, target: "none" },
  sheepdog: { source: source("hosts", "name"), formats: null, target: "none" },
  gluster: { source: source("hosts", "directory", "name"), formats: null, target: "none" },
  zfs: { source: source("name", "devices"), formats: null, target: "/dev/zvol" },
  vstorage: { source: source("name"), formats: null, target: "path" },
};

/** What a file can hold. */
export const FILE_FORMATS = [
  "raw",
  "dir",
  "bochs",
  "cloop",
  "dmg",
  "iso",
  "vpc",
  "vdi",
  "fat",
  "vhd",
  "ploop",
  "cow",
  "qcow",
  "qcow2",
  "qed",
  "vmdk",
] as const;

/** What a partition is marked to hold. */
export const PARTITION_FORMATS = [
  "none",
  "linux",
  "fat16",
  "fat32",
  "linux-swap",
  "linux-lvm",
  "linux-raid",
  "extended",
] as const;

const IN_FILES: VolumeFormats = { values: FILE_FORMATS, default: "raw" };

const VOLUME_FORMATS: Readonly<Partial<Record<PoolType, VolumeFormats>>> = {
  dir: IN_FILES,
  fs: IN_FILES,
  netfs: IN_FILES,
  gluster: IN_FILES,
  vstorage: IN_FILES,
  rbd: { values: ["raw"], default: "raw" },
  disk: { values: PARTITION_FORMATS, default: "none" },
};

/** The formats of a pool type's volumes; null where its volumes have no `<format>` (block devices). */
export function volumeFormats(type: PoolType): VolumeFormats | null {
  return VOLUME_FORMATS[type] ?? null;
}
