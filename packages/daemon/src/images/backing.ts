/** Where an image's backing file is, as a volume document says it. */
export interface BackingLocation {
  readonly path: string;
  /** Whether the path can be opened on this machine; false: another machine's storage, or nothing understandable. */
  readonly isLocal: boolean;
  /** What the backing string itself says (`json:{"driver": "qcow2", …}`). */
  readonly format: string | null;
  /**
   * A description of a file alone (`json:{"driver": "file", …}`): qemu takes its bytes as they are, and does not look what
   * they are. (libvirt does, for the document of a volume.) Absent: it is none.
   */
  readonly isFileAlone?: true;
}

/** Formats by which a `json:` backing string may name what is in the file. */
const FORMAT_DRIVERS = ["raw", "bochs", "cloop", "dmg", "vpc", "vdi", "qcow", "qcow2", "qed", "vmdk"];
/** qemu's block drivers for something with a path on this machine. */
const PATH_DRIVERS = ["file", "host_device", "host_cdrom"];
/** qemu allows any depth; a chain of format drivers over one file needs two. */
const JSON_DEPTH = 8;

/**
 * Reads a backing string:
 *
 *     base.qcow2, ./a:b, /images/base      a path, relative to the directory of the image
 *     fat:/some/directory                  a directory shown as a FAT disk
 *     json:{"file.driver": "file", …}      qemu's description of a block device; local ones have a path
 *     nbd:…, nbd://…, rbd:…, json:{…}      everything else: kept word for word, raw
 */
export function backingLocation(string: string, imageDirectory: string): BackingLocation {
  if (isPath(string)) return local(string.startsWith("/") ? string : `${imageDirectory}/${string}`);
  if (string.startsWith("fat:")) return local(string.slice("fat:".length));
  if (string.startsWith("json:")) {
    const described = describedFile(string.slice("json:".length));
    if (described !== null) return { ...local(described.path), ...described };
  }
  return { path: string, isLocal: false, format: "raw" };
}

function local(path: string): BackingLocation {
  return { path, isLocal: path.startsWith("/"), format: null };
}

/** A colon before any slash makes it a protocol; whoever means a file of that name writes ./ before it. */
export function isPath(string: string): boolean {
  const colon = string.indexOf(":");
  const slash = string.indexOf("/");
  return colon === -1 || (slash !== -1 && slash < colon);
}

type DescribedFile = Pick<BackingLocation, "path" | "format" | "isFileAlone">;

function describedFile(json: string): DescribedFile | null {
  try {
    return fileOf(membersOf(JSON.parse(json)), JSON_DEPTH);
  } catch {
    // Not JSON: then it is just a string.
    return null;
  }
}

/** qemu's block drivers for what lies on other machines. */
const REMOTE_DRIVERS = [
  "nbd",
  "rbd",
  "http",
  "https",
  "ftp",
  "ftps",
  "ssh",
  "iscsi",
  "gluster",
  "nfs",
  "sheepdog",
  "vxhs",
];

/** Whether a `json:` string describes something on another machine, so far as it is understood. */
export function isRemoteDescription(string: string): boolean {
  try {
    let members = membersOf(JSON.parse(string.slice("json:".length)));
    for (let depth = 0; depth <= JSON_DEPTH && members.size > 0; depth++) {
      if (isOneOf(REMOTE_DRIVERS, members.get("driver"))) return true;
      members = section(members, "file");
    }
  } catch {
    // Not JSON.
  }
  return false;
}

function fileOf(members: ReadonlyMap<string, unknown>, depth: number): DescribedFile | null {
  const driver = members.get("driver");
  const inner = section(members, "file");
  if (inner.size > 0) {
    if (depth === 0 || !(driver === undefined || isOneOf(FORMAT_DRIVERS, driver))) return null;
    const file = fileOf(inner, depth - 1);
    return file === null ? null : { path: file.path, format: typeof driver === "string" ? driver : file.format };
  }
  const filename = members.get("filename");
  if (!isOneOf(PATH_DRIVERS, driver) || typeof filename !== "string" || filename === "") return null;
  return { path: filename, format: null, isFileAlone: true };
}

/** The members of `{"file": {"driver": …}}` or, spelled flat, of `{"file.driver": …}`. */
function section(members: ReadonlyMap<string, unknown>, name: string): Map<string, unknown> {
  const found = membersOf(members.get(name));
  for (const [key, value] of members) {
    if (key.startsWith(`${name}.`)) found.set(key.slice(name.length + 1), value);
  }
  return found;
}

function membersOf(value: unknown): Map<string, unknown> {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return new Map(isObject ? Object.entries(value) : []);
}

function isOneOf(names: readonly string[], value: unknown): boolean {
  return typeof value === "string" && names.includes(value);
}
