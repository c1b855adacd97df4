import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { removePartition } from "../../tools/parted.js";
import type { VolumeContext } from "../driver.js";
import { settle } from "../shared/block/settle.js";
import { runCommand } from "../shared/run-command.js";
import { diskDeviceOf, partitionNumber } from "./disk-device.js";
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
  const partition = partitionsOf(await readDiskTable(disk.path, host, job.signal)).find(
    (each) => each.number === number,
  );
  if (partition === undefined) return;
  const known = volume.source[0]?.extents[0]?.startBytes ?? partition.startBytes;
  if (partition.startBytes !== known) {
    const text = `partition '${volume.name}' begins at byte ${partition.startBytes} now instead of ${known}: it is another one, the pool has to be refreshed`;
    throw LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, text);
  }
  // Not to be ended half-way: it writes the table, and tells the kernel.
  await runCommand(host, removePartition(disk.path, partition.number), { started: (child) => job.child(child) });
  await settle(host);
}
