import { posix } from "node:path";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Host } from "../../host/host.js";
import { hostLimits } from "../../host/index.js";
import type { UnitTrace } from "../../jobs/job.js";
import { parseTableUuid, probeSignatures } from "../../tools/blkid.js";
import { type ByteRange, type PartitionArea, removePartition } from "../../tools/parted.js";
import { openDevice } from "../shared/block/device.js";
import { settle } from "../shared/block/settle.js";
import { runCommand } from "../shared/run-command.js";
import { readDiskTable } from "./disk-table.js";
import { partitionsOf } from "./placement.js";

/*
 * What a new partition is known by before it is made. Its number may change and be another's later, and the disk's path may
 * lead to another disk after a reboot: so the table's own identifier (where it has one) and the bytes of the partition.
 */

const NO_UUID = "-";

export function identityOf(tableUuid: string | null, { startBytes, endBytes }: ByteRange): string {
  return `${tableUuid ?? NO_UUID} ${startBytes} ${endBytes}`;
}

/** Of the partition table on a disk; null: it bears none. */
export async function tableUuidOf(path: string, host: Host): Promise<string | null> {
  await using device = await openDevice(host, path, "read");
  const options = { timeoutMs: hostLimits.deviceProbeMs };
  const { exitStatus, stdout } = await host.run(probeSignatures(device, posix.basename(path)), options);
  return exitStatus === 0 ? parseTableUuid(stdout) : null;
}

/** Removes the partition that has just these bytes. False: there is none. */
export async function removeRange(path: string, range: ByteRange, host: Host): Promise<boolean> {
  const found = partitionsOf(await readDiskTable(path, host)).find(isAt(range));
  if (found === undefined) return false;
  await runCommand(host, removePartition(path, found.number));
  await settle(host);
  return true;
}

function isAt({ startBytes, endBytes }: ByteRange): (partition: PartitionArea) => boolean {
  return (partition) => partition.startBytes === startBytes && partition.endBytes === endBytes;
}

/** Takes away the partition that a daemon was making when it died, if the disk and the bytes are still those of the record. */
export async function undoPartition({ place, name, identity }: UnitTrace, host: Host): Promise<string> {
  const [tableUuid, start, end, ...rest] = identity.split(" ");
  if (tableUuid === undefined || !isNumber(start) || !isNumber(end) || rest.length > 0) {
    const text = `the record of partition '${name}' on '${place}' is not understood`;
    throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, text);
  }
  const found = (await tableUuidOf(place, host)) ?? NO_UUID;
  if (found !== tableUuid) return `'${place}' has another partition table by now: nothing was removed`;
  const removed = await removeRange(place, { startBytes: BigInt(start), endBytes: BigInt(end) }, host);
  return removed ? `partition '${name}' of '${place}' was removed` : "nothing is left of it";
}

function isNumber(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,20}$/.test(text);
}
