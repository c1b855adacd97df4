import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import { type Host, hostLimits } from "../../host/index.js";
import { type PartitionTable, parseTable, printTable } from "../../tools/parted.js";
import { settle } from "../shared/block/settle.js";
import { runCommand } from "../shared/run-command.js";

/** parted's label of a disk that has none that it knows. */
export const NO_LABEL = "unknown";

/**
 * Reads the disk's partition table. 1/0 with what parted says where there is none, or it cannot be read. parted opens the
 * disk for writing even then; when it closes it, udev makes the kernel read the table anew, and the partitions' nodes
 * go and come back. So this ends when udev is done.
 */
export async function readDiskTable(path: string, host: Host, signal?: CancelSignal): Promise<PartitionTable> {
  const options = { timeoutMs: hostLimits.deviceProbeMs, ...(signal === undefined ? {} : { signal }) };
  const output = await runCommand(host, printTable(path), options);
  await settle(host, signal);
  const table = parseTable(output);
  if (table !== null && table.label !== NO_LABEL) return table;
  const text = `cannot read the partition table of '${path}': what parted printed is none; parted 3.5 or later is needed`;
  throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, text);
}

/** parted's name of the disk's label, whatever else is wrong with it; `NO_LABEL`: none; null: it cannot be told. */
export async function readDiskLabel(path: string, host: Host): Promise<string | null> {
  const result = await host.run(printTable(path), { timeoutMs: hostLimits.deviceProbeMs }).catch(() => null);
  return result === null ? null : (parseTable(result.stdout)?.label ?? null);
}
