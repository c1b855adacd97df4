import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Host } from "../../host/host.js";
import type { Recorded } from "../../jobs/job.js";
import { makePartition, type PartitionArea, type PartitionTable } from "../../tools/parted.js";
import type { CloneSource, FoundVolume, VolumeContext } from "../driver.js";
import { fillDevice } from "../shared/block/fill-device.js";
import { settle } from "../shared/block/settle.js";
import { throwIfCalledOff } from "../shared/failure.js";
import { runCommand } from "../shared/run-command.js";
import { type DiskDevice, diskDeviceOf, partitionName, partitionNode, partitionNumber } from "./disk-device.js";
import { readDiskTable } from "./disk-table.js";
import { identityOf, removeRange, tableUuidOf } from "./partition-identity.js";
import { type PlannedPartition, partitionsOf, planPartition, type WantedPartition } from "./placement.js";
import { partitionVolume, saidOf } from "./scan-disk.js";

/** What LUKS puts before the content. */
const LUKS_HEADER_BYTES = 2_097_152n;

/** parted's file system for a volume's format in a table of DOS, which gives the partition its type. */
const FILE_SYSTEMS: Readonly<Record<string, string>> = {
  none: "ext2",
  linux: "ext2",
  fat16: "fat16",
  fat32: "fat32",
  "linux-swap": "linux-swap",
  "linux-lvm": "ext2",
  "linux-raid": "ext2",
};

/**
 * Refuses what the disk has no room or no kind of partition for, and a name that no partition of it can have. Which number the
 * new one gets is only sure when it is made: others may be on their way.
 */
export async function allocatePartition(
  pool: PoolDocument,
  wanted: VolumeDocument,
  { host, job: { signal } }: VolumeContext,
): Promise<VolumeDocument> {
  const { encryption } = wanted.target;
  if (encryption !== null && encryption.format !== "luks") {
    const text = "storage pool only supports LUKS encrypted volumes";
    throw LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, text);
  }
  const disk = await diskDeviceOf(pool, host, signal);
  const table = await readDiskTable(disk.path, host, signal);
  const planned = planPartition(table, partitionFor(wanted));
  const number = partitionNumber(disk, wanted.name);
  const isTaken = partitionsOf(table).some((partition) => partition.number === number);
  if (number === null || isTaken) throw invalidName(wanted, disk, planned.number);
  const path = partitionNode(disk, number);
  return { ...wanted, type: "block", key: path, target: { ...wanted.target, path } };
}

/** Makes the partition, while nobody else changes the table, and then writes its content. */
export async function fillPartition(
  pool: PoolDocument,
  volume: VolumeDocument,
  source: CloneSource | null,
  flags: number,
  context: VolumeContext,
): Promise<FoundVolume> {
  const { host, job } = context;
  throwIfCalledOff(job.signal, `cannot create volume '${volume.name}'`);
  const disk = await diskDeviceOf(pool, host, job.signal);
  const made = await context.exclusively(() => make(disk, volume, context));
  try {
    await fillDevice(pool, volume, partitionNode(disk, made.partition.number), source, flags, context);
    const { table, partition } = made;
    const document = await partitionVolume(pool, disk, table, partition, host, job.signal, saidOf(volume));
    await made.recorded.release();
    return { document, evidence: null };
  } catch (thrown) {
    await context.exclusively(() => unmake(disk, made.planned, made.recorded, host)).catch(() => {});
    throw thrown;
  }
}

interface MadePartition {
  readonly table: PartitionTable;
  readonly partition: PartitionArea;
  readonly planned: PlannedPartition;
  readonly recorded: Recorded;
}

async function make(disk: DiskDevice, volume: VolumeDocument, { host, job }: VolumeContext): Promise<MadePartition> {
  const before = await readDiskTable(disk.path, host, job.signal);
  const planned = planPartition(before, partitionFor(volume));
  if (partitionName(disk, planned.number) !== volume.name) throw invalidName(volume, disk, planned.number);
  const identity = identityOf(await tableUuidOf(disk.path, host), planned);
  const unit = { kind: "unit", poolType: "disk", place: disk.path, name: volume.name, identity } as const;
  const recorded = await job.record(unit);
  try {
    const fileSystem =
      before.label === "msdos" && planned.kind !== "extended"
        ? (FILE_SYSTEMS[volume.target.format ?? "none"] ?? "ext2")
        : null;
    const { kind, startBytes } = planned;
    const partition = { label: before.label, kind, fileSystem, startBytes, endBytes: planned.endBytes - 1n };
    // Not to be ended half-way: it writes the table, and tells the kernel.
    await runCommand(host, makePartition(disk.path, partition), { started: (child) => job.child(child) });
    await settle(host);
    const table = await readDiskTable(disk.path, host);
    const found = partitionsOf(table).find((each) => each.startBytes === startBytes && each.kind === kind);
    if (found === undefined) throw notThere(volume, disk);
    if (partitionName(disk, found.number) !== volume.name) throw invalidName(volume, disk, found.number);
    return { table, partition: found, planned, recorded };
  } catch (thrown) {
    await unmake(disk, planned, recorded, host);
    throw thrown;
  }
}

/** Where it cannot be done, the record stays for the next start of the daemon; why it was to be done is what counts now. */
async function unmake(disk: DiskDevice, planned: PlannedPartition, recorded: Recorded, host: Host): Promise<void> {
  try {
    await removeRange(disk.path, planned, host);
    await recorded.release();
  } catch {}
}

function partitionFor({ capacityBytes, target }: VolumeDocument): WantedPartition {
  const header = target.encryption === null ? 0n : LUKS_HEADER_BYTES;
  return { format: target.format ?? "none", sizeBytes: capacityBytes + header };
}

/** The kernel says how partitions are called. */
function invalidName({ name }: VolumeDocument, disk: DiskDevice, number: number): LibvirtError {
  const text = `invalid partition name '${name}', expected '${partitionName(disk, number)}'`;
  return LibvirtError.of(ErrorCode.INVALID_ARG, ErrorDomain.STORAGE, text);
}

function notThere({ name }: VolumeDocument, { path }: DiskDevice): LibvirtError {
  const text = `partition '${name}' was made on '${path}', but is not in its partition table`;
  return LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, text);
}
