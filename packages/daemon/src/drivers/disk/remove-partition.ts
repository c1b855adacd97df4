import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { describeFailure, type Host, hostLimits } from "../../host/index.js";
import { type PartitionArea, type PartitionTable, removePartition } from "../../tools/parted.js";
import { forgetPartitions, learnPartitions } from "../../tools/partx.js";
import type { VolumeContext } from "../driver.js";
import { settle } from "../shared/block/settle.js";
import { failure } from "../shared/failure.js";
import { runCommand } from "../shared/run-command.js";
import { type DiskDevice, diskDeviceOf, isMapped, partitionName, partitionNumber } from "./disk-device.js";
import { readDiskTable } from "./disk-table.js";
import { partitionsOf } from "./placement.js";

/** Deletes a partition. One that is gone already is no error; another one that has its number by now is left alone. */
export async function removeVolumePartition(
  pool: PoolDocument,
  volume: VolumeDocument,
  flags: number,
  { host, job }: VolumeContext,
): Promise<void> {
  LibvirtError.checkFlags(ErrorDomain.STORAGE, "virStorageBackendDiskDeleteVol", flags, 0);
  await settle(host, job.signal);
  const disk = await diskDeviceOf(pool, host, job.signal);
  const number = partitionNumber(disk, volume.name);
  const table = await readDiskTable(disk.path, host, job.signal);
  const partition = partitionsOf(table).find((each) => each.number === number);
  if (partition === undefined) return;
  const known = volume.source[0]?.extents[0]?.startBytes ?? partition.startBytes;
  if (partition.startBytes !== known) {
    throw refusal(
      `partition '${volume.name}' begins at byte ${partition.startBytes} now instead of ${known}: it is another one, the pool has to be refreshed`,
    );
  }
  const restore = await withdraw(disk, table, partition, host);
  try {
    // Not to be ended half-way: it writes the table, and tells the kernel.
    await runCommand(host, removePartition(disk.path, partition.number), { started: (child) => job.child(child) });
  } catch (thrown) {
    await restore();
    throw thrown;
  }
  await settle(host);
}

interface NumberRange {
  readonly first: number;
  readonly last: number;
}

/**
 * While a partition is open, parted removes it from the disk's table, but the kernel keeps it: from then on the two contradict
 * each other. The same goes for the logical ones after a removed one, which get other numbers, and for those in an extended
 * one. So the kernel is made to forget them all first, and where it cannot, nothing is removed. Gives what makes it know
 * them again.
 */
async function withdraw(
  disk: DiskDevice,
  table: PartitionTable,
  { kind, number }: PartitionArea,
  host: Host,
): Promise<() => Promise<void>> {
  if (isMapped(disk)) return async () => {};
  const ranges: NumberRange[] = [{ first: number, last: number }];
  const logical = partitionsOf(table).filter((each) => each.kind === "logical");
  const others = kind === "primary" ? [] : logical.map((each) => each.number).filter((each) => each > number);
  if (others.length > 0) ranges.push({ first: Math.min(...others), last: Math.max(...others) });
  const options = { timeoutMs: hostLimits.deviceProbeMs };
  const restore = async () => {
    for (const { first, last } of ranges) {
      await host.run(learnPartitions(disk.path, first, last), options).catch(() => {});
    }
  };
  try {
    for (const range of ranges) await forget(disk, number, range, host);
    return restore;
  } catch (thrown) {
    await restore();
    throw failure(thrown, "Cannot run 'partx'");
  }
}

async function forget(disk: DiskDevice, removed: number, { first, last }: NumberRange, host: Host): Promise<void> {
  const command = forgetPartitions(disk.path, first, last);
  const options = { timeoutMs: hostLimits.deviceProbeMs };
  if ((await host.run(command, options)).exitStatus === 0) return;
  // udev looks into new partitions, too.
  await settle(host);
  const result = await host.run(command, options);
  if (result.exitStatus === 0) return;
  const name = partitionName(disk, removed);
  const which =
    first === removed
      ? "it is in use"
      : "partitions inside of it, or after it with numbers that would change, are in use";
  throw refusal(`cannot remove partition '${name}': ${which}: ${describeFailure(result)}`);
}

function refusal(text: string): LibvirtError {
  return LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, text);
}
