import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Host } from "../../host/host.js";
import { partedLabel } from "../../tools/parted.js";
import { checkDeviceLabel, type DeviceUse } from "../shared/block/device-label.js";
import { NO_LABEL, readDiskLabel } from "./disk-table.js";

/** What a device is taken for that is not said otherwise. */
export function labelFormat(format: string | null): string {
  return format === null || format === "unknown" ? "dos" : format;
}

/** Labels that blkid does not know, or calls otherwise: parted is asked instead, as by libvirt. */
const PARTED_ONLY: ReadonlySet<string> = new Set(["dvh", "pc98", "bsd"]);

/**
 * Refuses a disk that does not fit: with "start", one without just this label; with "build", one on which anything is. Codes
 * and texts are libvirt's. Beyond it, a build over what only one of blkid and parted knows is refused too.
 */
export async function checkDiskLabel(path: string, format: string, use: DeviceUse, host: Host): Promise<void> {
  if (PARTED_ONLY.has(format)) await checkByParted(path, format, use, host);
  if (use === "build" || !PARTED_ONLY.has(format)) await checkDeviceLabel(path, format, use, host);
  if (use === "start" || PARTED_ONLY.has(format)) return;
  const label = await readDiskLabel(path, host);
  if (label === null || label === NO_LABEL) return;
  const text = `Format of device '${path}' does not match the expected format '${format}', forced overwrite is necessary`;
  throw LibvirtError.of(ErrorCode.STORAGE_POOL_BUILT, ErrorDomain.STORAGE, text);
}

async function checkByParted(path: string, format: string, use: DeviceUse, host: Host): Promise<void> {
  const label = await readDiskLabel(path, host);
  if (label === null) {
    throw failed("Error checking for disk label, failed to get disk partition information");
  }
  if (label === partedLabel(format)) {
    if (use === "start") return;
    const text = `Disk label already formatted using '${format}'`;
    throw LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, text);
  }
  if (label !== NO_LABEL) throw failed("Known, but different label format present, requires build --overwrite");
  if (use === "start") throw failed("Unrecognized disk label found, requires build");
}

function failed(text: string): LibvirtError {
  return LibvirtError.of(ErrorCode.OPERATION_FAILED, ErrorDomain.STORAGE, text);
}
