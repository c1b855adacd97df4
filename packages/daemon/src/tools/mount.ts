import type { Command } from "../host/host.js";

/** What every pool's file system is mounted with: nothing on it is a device, a privileged program, or a program at all. */
const SAFE_OPTIONS: readonly string[] = ["nodev", "nosuid", "noexec"];

export interface DeviceMount {
  readonly device: string;
  readonly target: string;
  /** As mount knows it; "auto": what is found on the device. */
  readonly format: string;
  /** Further options, as the administrator wrote them. */
  readonly options: readonly string[];
}

/**
 * Mounts a device. -o: options; -t: the type of the file system. What serves a mount (the process of a FUSE file system)
 * goes on when mount has ended.
 */
export function mountDevice({ device, target, format, options }: DeviceMount): Command {
  return mount(["-o", [...SAFE_OPTIONS, ...options].join(","), "-t", format, device, target]);
}

/** Formats of a netfs pool; "auto" leaves it to mount, which goes by the source. */
export type NetworkFormat = "auto" | "nfs" | "glusterfs" | "cifs";

export interface NetworkMount {
  readonly source: string;
  readonly target: string;
  readonly format: NetworkFormat;
  /** Of NFS: "3", "4", "4.2". */
  readonly protocolVersion: string | null;
  readonly options: readonly string[];
}

/** Options that a format needs: gluster's is for images that are written past the page cache, guest asks for no password. */
const FORMAT_OPTIONS: Readonly<Record<NetworkFormat, readonly string[]>> = {
  auto: [],
  nfs: [],
  glusterfs: ["direct-io-mode=1"],
  cifs: ["guest"],
};

/** Formats whose mount takes a protocol version. */
const VERSIONED: ReadonlySet<NetworkFormat> = new Set(["auto", "nfs"]);

/** Mounts what a server exports. */
export function mountNetwork({ source, target, format, protocolVersion, options }: NetworkMount): Command {
  const version = protocolVersion !== null && VERSIONED.has(format) ? [`nfsvers=${protocolVersion}`] : [];
  const all = [...SAFE_OPTIONS, ...FORMAT_OPTIONS[format], ...version, ...options].join(",");
  return mount(["-o", all, ...(format === "auto" ? [] : ["-t", format]), source, target]);
}

/** mount ends with 32 when it could not, with 1 when it was called wrongly; what it says stands on stderr. */
function mount(args: readonly string[]): Command {
  return { program: "mount", args, leavesRunning: true };
}

/** Takes away what was mounted last on a directory. */
export function unmount(target: string): Command {
  return { program: "umount", args: [target] };
}

export interface NetworkSource {
  readonly host: string;
  readonly directory: string;
}

/** What is mounted, in the words of the format's mount: `host:/export`, `//host/share`. */
export function networkSource(format: NetworkFormat, { host, directory }: NetworkSource): string {
  // A directory mostly begins with a slash; with two of them, the kernel would look for a share without a name.
  if (format === "cifs") return `//${host}/${directory.replace(/^\/+/, "")}`;
  // An IPv6 address has colons of its own.
  const isAddress = host.includes(":") && !host.startsWith("[");
  return `${isAddress ? `[${host}]` : host}:${directory}`;
}

/** Whether the kernel's name of a mounted source is the one that was asked for; it writes some slashes once. */
export function isSameSource(mounted: string, wanted: string): boolean {
  return mounted === wanted || plain(mounted) === plain(wanted);
}

function plain(source: string): string {
  return source.replace(/\/+/g, "/").replace(/(?<=[^:])\/$/, "");
}
