import { posix } from "node:path";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../../cancel-signal.js";
import type { Host } from "../../../host/host.js";
import { hostLimits } from "../../../host/index.js";
import {
  BLKID_AMBIVALENT,
  BLKID_NOTHING,
  parseSignatures,
  probeSignatures,
  type Signatures,
} from "../../../tools/blkid.js";
import { failingAs, failure } from "../failure.js";
import { openDevice } from "./device.js";

/** What somebody is about to do with a device: write another content onto it, or use the one that is there. */
export type DeviceUse = "build" | "start";

/**
 * Refuses a device whose content does not fit. `format` as blkid names it: "ext4", "LVM2_member", "dos", "gpt". With "build"
 * there must be nothing on it; with "start" there must be just that. Codes and texts are libvirt's.
 */
export async function checkDeviceLabel(
  path: string,
  format: string,
  use: DeviceUse,
  host: Host,
  signal?: CancelSignal,
): Promise<void> {
  const { superblock, partitionTable } = await signaturesOf(path, format, host, signal);
  const found = superblock ?? partitionTable;
  if (found === null) {
    if (use === "build") return;
    throw probeFailed(`Device '${path}' is unrecognized, requires build`);
  }
  const fits = found === format || partitionTable === format;
  if (use === "build") {
    const text = fits
      ? `Device '${path}' already formatted using '${format}'`
      : `Format of device '${path}' does not match the expected format '${format}', forced overwrite is necessary`;
    throw LibvirtError.of(ErrorCode.STORAGE_POOL_BUILT, ErrorDomain.STORAGE, text);
  }
  if (fits) return;
  const text = `Format of device '${path}' does not match the expected format '${format}'`;
  throw LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, text);
}

async function signaturesOf(path: string, format: string, host: Host, signal?: CancelSignal): Promise<Signatures> {
  await using device = await openDevice(host, path, "read", {
    ...(signal === undefined ? {} : { signal }),
  }).catch((thrown: unknown) => {
    throw probeFailed(`Failed to create filesystem probe for device ${path}`, thrown);
  });
  const options = { timeoutMs: hostLimits.deviceProbeMs, ...(signal === undefined ? {} : { signal }) };
  const detail = `Failed to probe for format type '${format}'`;
  const result = await host.run(probeSignatures(device, posix.basename(path)), options).catch((thrown: unknown) => {
    throw probeFailed(detail, failure(thrown, "Cannot run 'blkid'", ErrorDomain.NONE));
  });
  if (result.exitStatus === BLKID_NOTHING) return { superblock: null, partitionTable: null };
  if (result.exitStatus === BLKID_AMBIVALENT) {
    throw probeFailed("Found additional probes to run, probing may be incorrect");
  }
  if (result.exitStatus !== 0) throw probeFailed(`${detail}: ${result.stderr.trim()}`);
  return parseSignatures(result.stdout);
}

function probeFailed(text: string, cause?: unknown): LibvirtError {
  return LibvirtError.of(ErrorCode.STORAGE_PROBE_FAILED, ErrorDomain.STORAGE, text, { cause });
}

const END_BYTES = 1_048_576n;

/** Refuses a device that something else uses: 38 with EBUSY. Changes nothing. */
export async function checkDeviceIsFree(path: string, host: Host, signal?: CancelSignal): Promise<void> {
  const options = signal === undefined ? {} : { signal };
  await using _device = await openDevice(host, path, "exclusive", {
    ...options,
    detail: `cannot use device '${path}'`,
  });
}

/**
 * Overwrites the first and the last MiB with zeros, where labels are. Of a smaller device, all of it. One that something else
 * uses is left alone: EBUSY.
 */
export async function clearDeviceEnds(path: string, host: Host, signal?: CancelSignal): Promise<void> {
  const options = signal === undefined ? {} : { signal };
  const detail = `cannot clear the labels of device '${path}'`;
  await using device = await openDevice(host, path, "exclusive", { ...options, detail });
  const sizeBytes = await failingAs(detail, device.sizeBytes(options));
  const length = sizeBytes < END_BYTES ? sizeBytes : END_BYTES;
  await failingAs(detail, device.overwrite(0n, length, "zeros", options));
  await failingAs(detail, device.overwrite(sizeBytes - length, length, "zeros", options));
  await failingAs(detail, device.syncData(options));
}
