import { posix } from "node:path";
import { type Directory, type Host, HostError, textOfBytes } from "../../host/index.js";
import { limits } from "../../limits.js";

/*
 * What a block device is built on, as the kernel tells in /sys/dev/block/MAJOR:MINOR:
 *
 *     uevent               MAJOR=8 MINOR=1 DEVNAME=sda1 …, one a line
 *     loop/backing_file    of a loop device: the file's path, and " (deleted)" behind it when it is gone
 *     slaves/NAME          of a mapped device or an array: its parts
 *     dm/uuid              of a mapped device: "mpath-…" where its parts are ways to the same disk, "LVM-…" of a logical volume
 *     dm/name              of a logical volume: "group-volume"; a "-" inside either name is doubled
 *     partition            of a partition: its number; the disk is the directory above
 *     sda1/partition …     of a disk: its partitions
 */

/** What holds a device's bytes, or some of them; a path of this host. */
export interface Part {
  readonly path: string;
  /**
   * "beneath": the same bytes. "around": it holds others as well, as the disk of a partition or of a logical volume does.
   * "within": it is a part of the device, and nothing more is to be followed from it.
   */
  readonly direction: "beneath" | "around" | "within";
}

/**
 * `deviceNumber`: st_rdev. Empty for a device that rests on nothing else, or is gone.
 *
 * @throws HostError ETIMEDOUT where the kernel did not tell in time: it may rest on anything
 */
export async function partsOf(deviceNumber: bigint, host: Host): Promise<Part[]> {
  const base = `/sys/dev/block/${majorOf(deviceNumber)}:${minorOf(deviceNumber)}`;
  try {
    await using directory = await host.openDirectory(base, OPTIONS);
    const names = await directory.names(OPTIONS);
    const name = deviceName(textOf(await directory.readFile("uevent", limits.sysfsBytes, OPTIONS)));
    const slaves = names.includes("slaves") ? await namesIn(directory, "slaves") : [];
    const toSlave = names.includes("dm") && (await isMultipath(directory)) ? "beneath" : "around";
    const partitions = names.filter((entry) => name !== null && entry.startsWith(posix.basename(name)));
    const found = await Promise.all([
      ...(names.includes("loop") ? [backingFile(directory)] : []),
      ...(names.includes("partition") ? [nodeOf(host, `${base}/..`, "around")] : []),
      ...slaves.map((slave) => nodeOf(host, `${base}/slaves/${slave}`, toSlave)),
      ...partitions.map((partition) => nodeOf(host, `${base}/${partition}`, "within")),
    ]);
    return found.flat().slice(0, limits.deviceParts);
  } catch (error) {
    if (error instanceof HostError && error.code !== "ETIMEDOUT") return [];
    throw error;
  }
}

/** What a device is to the kernel, as far as it can be told what it is a part of. */
export interface DeviceNature {
  /** Without udev's links; null: the kernel tells none. */
  readonly node: string | null;
  /** The node of the disk that it is a partition of. */
  readonly disk: string | null;
  /** The names of the group and the volume, of a logical volume. */
  readonly logical: { readonly group: string; readonly volume: string } | null;
}

/** `deviceNumber`: st_rdev. */
export async function natureOf(deviceNumber: bigint, host: Host): Promise<DeviceNature> {
  const base = `/sys/dev/block/${majorOf(deviceNumber)}:${minorOf(deviceNumber)}`;
  try {
    await using directory = await host.openDirectory(base, OPTIONS);
    const names = await directory.names(OPTIONS);
    const name = deviceName(textOf(await directory.readFile("uevent", limits.sysfsBytes, OPTIONS)));
    const [disk] = names.includes("partition") ? await nodeOf(host, `${base}/..`, "around") : [];
    return {
      node: name === null ? null : nodePath(name),
      disk: disk?.path ?? null,
      logical: names.includes("dm") ? await logicalVolumeIn(directory) : null,
    };
  } catch (error) {
    if (error instanceof HostError) return { node: null, disk: null, logical: null };
    throw error;
  }
}

/**
 * The device node of a SCSI device: `/sys/class/scsi_device/H:B:T:L/device/block/sda`; null: it has none (a tape, a scanner).
 *
 * @throws HostError ETIMEDOUT, as `partsOf`
 */
export async function scsiNode(address: string, host: Host): Promise<string | null> {
  const [name] = await namesAt(host, `/sys/class/scsi_device/${address}/device/block`);
  return name === undefined ? null : nodePath(name);
}

/**
 * Of an NVMe controller that this host drives; null: a guest has it all to itself, or it is not there.
 *
 * @throws HostError ETIMEDOUT, as `partsOf`
 */
export async function nvmeNode(address: string, namespace: number, host: Host): Promise<string | null> {
  const base = `/sys/bus/pci/devices/${address}/nvme`;
  for (const controller of await namesAt(host, base)) {
    for (const name of await namesAt(host, `${base}/${controller}`)) {
      const match = /^(nvme\d+)(?:c\d+)?n(\d+)$/.exec(name);
      if (match !== null && Number(match[2]) === namespace) return nodePath(`${match[1]}n${match[2]}`);
    }
  }
  return null;
}

/**
 * Nodes of a LUN in which this host is logged in, by whatever portal.
 *
 * @throws HostError ETIMEDOUT, as `partsOf`
 */
export async function iscsiNodes(target: string, lun: number, host: Host): Promise<string[]> {
  const links = await namesAt(host, BY_PATH);
  return links.filter((link) => link.endsWith(`-iscsi-${target}-lun-${lun}`)).map((link) => `${BY_PATH}/${link}`);
}

const BY_PATH = "/dev/disk/by-path";
const OPTIONS = { timeoutMs: limits.attachmentLookMs };

async function backingFile(directory: Directory): Promise<Part[]> {
  await using loop = await directory.openDirectory("loop", OPTIONS);
  const path = textOf(await loop.readFile("backing_file", limits.sysfsBytes, OPTIONS)).replace(/\n$/, "");
  return path.startsWith("/") ? [{ path, direction: "beneath" }] : [];
}

async function logicalVolumeIn(directory: Directory): Promise<DeviceNature["logical"]> {
  await using mapped = await directory.openDirectory("dm", OPTIONS);
  const attribute = async (name: string) => textOf(await mapped.readFile(name, limits.sysfsBytes, OPTIONS)).trim();
  if (!(await attribute("uuid")).startsWith("LVM-")) return null;
  return logicalVolumeOf(await attribute("name"));
}

/** "group-volume" as device-mapper names it; null: it is no such name. */
export function logicalVolumeOf(mappedName: string): DeviceNature["logical"] {
  const [, group, volume] = /^((?:[^-]|--)+)-((?:[^-]|--)+)$/.exec(mappedName) ?? [];
  if (group === undefined || volume === undefined) return null;
  return { group: group.replaceAll("--", "-"), volume: volume.replaceAll("--", "-") };
}

async function isMultipath(directory: Directory): Promise<boolean> {
  await using mapped = await directory.openDirectory("dm", OPTIONS);
  return textOf(await mapped.readFile("uuid", limits.sysfsBytes, OPTIONS)).startsWith("mpath-");
}

async function nodeOf(host: Host, sysfsPath: string, direction: Part["direction"]): Promise<Part[]> {
  try {
    await using directory = await host.openDirectory(sysfsPath, OPTIONS);
    const name = deviceName(textOf(await directory.readFile("uevent", limits.sysfsBytes, OPTIONS)));
    return name === null ? [] : [{ path: nodePath(name), direction }];
  } catch (error) {
    if (error instanceof HostError && error.code !== "ETIMEDOUT") return [];
    throw error;
  }
}

async function namesIn(directory: Directory, name: string): Promise<string[]> {
  await using below = await directory.openDirectory(name, OPTIONS);
  return await below.names(OPTIONS);
}

/** None where there is no such directory. */
async function namesAt(host: Host, path: string): Promise<string[]> {
  try {
    await using directory = await host.openDirectory(path, OPTIONS);
    return await directory.names(OPTIONS);
  } catch (error) {
    if (error instanceof HostError && error.code !== "ETIMEDOUT") return [];
    throw error;
  }
}

function deviceName(uevent: string): string | null {
  return /^DEVNAME=(.+)$/m.exec(uevent)?.[1] ?? null;
}

/** sysfs writes "!" where a node's name has a slash. */
function nodePath(name: string): string {
  return `/dev/${name.replaceAll("!", "/")}`;
}

function textOf(bytes: Uint8Array): string {
  return textOfBytes(Buffer.from(bytes));
}

/** As glibc takes st_rdev apart. */
function majorOf(device: bigint): bigint {
  return ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
}
function minorOf(device: bigint): bigint {
  return (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
}
