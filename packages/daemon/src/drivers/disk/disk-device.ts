import { posix } from "node:path";
import type { PoolDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import type { Host } from "../../host/host.js";
import { failingAs, isErrno } from "../shared/failure.js";

/** The disk that a pool divides, and how its partitions are called. */
export interface DiskDevice {
  /** As the pool says it: for commands, messages and documents. */
  readonly path: string;
  /** A partition's number makes it the partition's node: "/dev/sda", "/dev/loop0p", "/dev/mapper/mpathap". */
  readonly nodePrefix: string;
}

const MAPPER = "/dev/mapper";
const SYSFS_ATTRIBUTE_BYTES = 4_096;
/** As the kernel: a longer chain is a loop. */
const LONGEST_LINK_CHAIN = 40;

/** The pool's one device. A document without any is not accepted. */
export function diskPathOf(pool: PoolDocument): string {
  const [device] = pool.source.devices;
  if (device !== undefined) return device.path;
  throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, `pool '${pool.name}' has no source device`);
}

export function diskDeviceOf(pool: PoolDocument, host: Host, signal?: CancelSignal): Promise<DiskDevice> {
  return diskDevice(diskPathOf(pool), pool.source.devices[0]?.partSeparator ?? null, host, signal);
}

export async function diskDevice(
  path: string,
  partSeparator: boolean | null,
  host: Host,
  signal?: CancelSignal,
): Promise<DiskDevice> {
  const node = await canonicalDevice(path, host, signal);
  const mapName = /^\/dev\/dm-\d+$/.test(node) ? await mapNameOf(node, host, signal) : null;
  if (mapName === null) return { path, nodePrefix: partitionPrefix(node, false) };
  return { path, nodePrefix: partitionPrefix(`${MAPPER}/${mapName}`, partSeparator === true) };
}

/**
 * The kernel puts a "p" between a disk's name that ends in a digit and a partition's number; the makers of device-mapper's
 * partitions do the same, and can be told to do it always.
 */
export function partitionPrefix(diskNode: string, alwaysSeparates: boolean): string {
  return /\d$/.test(diskNode) || alwaysSeparates ? `${diskNode}p` : diskNode;
}

export function partitionNode({ nodePrefix }: DiskDevice, number: number): string {
  return `${nodePrefix}${number}`;
}

/** Whether its partitions are maps of device-mapper, not the kernel's own. */
export function isMapped({ nodePrefix }: DiskDevice): boolean {
  return nodePrefix.startsWith(`${MAPPER}/`);
}

export function partitionName(disk: DiskDevice, number: number): string {
  return posix.basename(partitionNode(disk, number));
}

/** null: no partition of this disk can be called so. */
export function partitionNumber({ nodePrefix }: DiskDevice, name: string): number | null {
  const prefix = posix.basename(nodePrefix);
  const rest = name.startsWith(prefix) ? name.slice(prefix.length) : "";
  return /^[1-9]\d{0,3}$/.test(rest) ? Number(rest) : null;
}

/**
 * What a device's path leads to: "/dev/disk/by-id/…" to "/dev/sda".
 *
 * @param detail what could not be done, for the error
 */
export async function canonicalDevice(
  path: string,
  host: Host,
  signal?: CancelSignal,
  detail = `cannot follow the links of device '${path}'`,
): Promise<string> {
  const options = signal === undefined ? {} : { signal };
  let at = path;
  for (let links = 0; links <= LONGEST_LINK_CHAIN; links++) {
    await using directory = await failingAs(detail, host.openDirectory(posix.dirname(at), options));
    const content = await directory.readLink(posix.basename(at), options).catch((thrown: unknown) => {
      if (isErrno(thrown, "EINVAL")) return null;
      return failingAs(detail, Promise.reject(thrown));
    });
    if (content === null) return at;
    at = posix.resolve(posix.dirname(at), content);
  }
  throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, `${detail}: there are too many of them`);
}

async function mapNameOf(node: string, host: Host, signal?: CancelSignal): Promise<string | null> {
  const options = signal === undefined ? {} : { signal };
  try {
    await using directory = await host.openDirectory(`/sys/block/${posix.basename(node)}/dm`, options);
    const content = await directory.readFile("name", SYSFS_ATTRIBUTE_BYTES, options);
    const name = new TextDecoder().decode(content).trimEnd();
    return name === "" ? null : name;
  } catch (thrown) {
    if (isErrno(thrown, "ENOENT")) return null;
    return failingAs(`cannot read the name of device '${node}'`, Promise.reject(thrown));
  }
}
