import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import type { CancelSignal } from "../../cancel-signal.js";
import type { Host } from "../../host/host.js";
import type { ByteRange, PartitionArea, PartitionTable } from "../../tools/parted.js";
import type { FoundVolume, KnownVolumes, PoolScan, VolumeContext } from "../driver.js";
import { withDeviceFacts } from "../shared/block/device.js";
import { settle } from "../shared/block/settle.js";
import { stablePath } from "../shared/block/stable-path.js";
import {
  canonicalDevice,
  type DiskDevice,
  diskDeviceOf,
  isMapped,
  partitionName,
  partitionNode,
  partitionNumber,
} from "./disk-device.js";
import { readDiskTable } from "./disk-table.js";
import { freeExtentsOf, lengthOf, partitionsOf } from "./placement.js";

/**
 * The disk's partitions and what is free between them. What they are to hold is not read from the table (libvirt does not):
 * of a volume of `known` that is still the same partition, it is taken over.
 */
export async function scanDisk(
  pool: PoolDocument,
  host: Host,
  signal: CancelSignal,
  known?: KnownVolumes,
): Promise<PoolScan> {
  await settle(host, signal);
  const disk = await diskDeviceOf(pool, host, signal);
  const table = await readDiskTable(disk.path, host, signal);
  const partitions = partitionsOf(table);
  const volumes: FoundVolume[] = [];
  for (const partition of partitions) {
    const before = known?.get(partitionName(disk, partition.number))?.document;
    const more = before !== undefined && isSame(before, partition) ? saidOf(before) : {};
    const document = await partitionVolume(pool, disk, table, partition, host, signal, more);
    volumes.push({ document, evidence: null });
  }
  const freeExtents = freeExtentsOf(table);
  const [device, ...others] = pool.source.devices;
  return {
    capacityBytes: [...partitions, ...freeExtents].reduce((end, { endBytes }) => (endBytes > end ? endBytes : end), 0n),
    allocationBytes: lengthOfAll(partitions.filter(({ kind }) => kind !== "extended")),
    availableBytes: lengthOfAll(freeExtents),
    pool:
      device === undefined
        ? pool
        : { ...pool, source: { ...pool.source, devices: [{ ...device, freeExtents }, ...others] } },
    volumes,
  };
}

/** What of a partition only the document says that it was made by. */
export function saidOf({ target: { format, encryption } }: VolumeDocument): Partial<VolumeDocument["target"]> {
  return { format, encryption };
}

function isSame({ source }: VolumeDocument, { startBytes, endBytes }: PartitionArea): boolean {
  const extent = source[0]?.extents[0];
  return extent?.startBytes === startBytes && extent.endBytes === endBytes;
}

/** Whether a volume is a partition of partitions. */
export async function isExtended(
  pool: PoolDocument,
  volume: VolumeDocument,
  { host, job: { signal } }: VolumeContext,
): Promise<boolean> {
  const disk = await diskDeviceOf(pool, host, signal);
  const number = partitionNumber(disk, volume.name);
  const partitions = partitionsOf(await readDiskTable(disk.path, host, signal));
  return partitions.some((partition) => partition.kind === "extended" && partition.number === number);
}

/** A partition as a volume. */
export async function partitionVolume(
  pool: PoolDocument,
  disk: DiskDevice,
  table: PartitionTable,
  partition: PartitionArea,
  host: Host,
  signal: CancelSignal,
  more: Partial<VolumeDocument["target"]> = {},
): Promise<VolumeDocument> {
  const node = partitionNode(disk, partition.number);
  const canonical = isMapped(disk) ? await mappedNode(disk, partition.number, host, signal) : node;
  const hasLinks = pool.target.path?.startsWith("/dev/") === true;
  const path = (hasLinks ? await stablePath(pool, canonical, host, signal) : null) ?? node;
  const { startBytes, endBytes } = partition;
  const document: VolumeDocument = {
    type: "block",
    name: partitionName(disk, partition.number),
    key: path,
    source: [{ devicePath: disk.path, extents: [{ startBytes, endBytes }] }],
    capacityBytes: 0n,
    allocationBytes: 0n,
    hasAllocation: true,
    physicalBytes: 0n,
    target: {
      path,
      permissions: { mode: null, owner: null, group: null, label: null },
      timestamps: null,
      encryption: null,
      compat: null,
      clusterSizeBytes: 0n,
      features: null,
      noCopyOnWrite: false,
      ...more,
      format: more.format ?? "none",
    },
    backingStore: null,
  };
  const found = await withDeviceFacts(document, host, signal);
  if (partition.kind !== "extended") return found;
  // The device shows only its first sectors, so that nobody overwrites the links between its logical partitions.
  const logical = partitionsOf(table).filter(({ kind }) => kind === "logical");
  return { ...found, capacityBytes: endBytes - startBytes, allocationBytes: lengthOfAll(logical) };
}

/** Where the link in /dev/mapper leads. Whoever makes these partitions (libparted, kpartx) names them as it is set up to. */
function mappedNode(disk: DiskDevice, number: number, host: Host, signal: CancelSignal): Promise<string> {
  const node = partitionNode(disk, number);
  const detail = `cannot find partition ${number} of device '${disk.path}' as '${node}' (its part_separator says how the host names them)`;
  return canonicalDevice(node, host, signal, detail);
}

function lengthOfAll(ranges: readonly ByteRange[]): bigint {
  return ranges.reduce((sum, range) => sum + lengthOf(range), 0n);
}
