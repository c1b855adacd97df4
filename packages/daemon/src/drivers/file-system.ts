import type { PoolDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Host } from "../host/host.js";
import { mkfs } from "../tools/mkfs.js";
import { mountDevice } from "../tools/mount.js";
import type { StorageDriver } from "./driver.js";
import { checkDeviceLabel } from "./shared/block/device-label.js";
import { BUILD_NO_OVERWRITE, buildTarget, checkBuildFlags, deleteTarget } from "./shared/build-directory.js";
import { failure } from "./shared/failure.js";
import { FILE_TRAITS, fileVolumes } from "./shared/file-volumes.js";
import { type IsSource, isMounted, leadToOneDevice, mountPool, unmountPool } from "./shared/mount/mounted.js";
import { runCommand } from "./shared/run-command.js";
import { measureDirectory, scanDirectory } from "./shared/scan-directory.js";
import { targetPath } from "./shared/target-directory.js";

/** libvirt's name of "whatever is on the device". */
const ANY_FORMAT = "auto";

/** Pools of type "fs": a file system on a device of this machine, mounted at the target; its entries are the volumes. */
export const fileSystemDriver: StorageDriver = {
  type: "fs",
  traits: FILE_TRAITS,

  async check(pool, host) {
    return isMounted(pool, host, isOnDevice(deviceOf(pool), host));
  },

  scan: scanDirectory,
  measure: measureDirectory,

  async start(pool, host, { signal }) {
    const device = deviceOf(pool);
    const { mountOptions } = pool;
    const command = mountDevice({ device, target: targetPath(pool), format: formatOf(pool), options: mountOptions });
    return mountPool(pool, host, { command, isSource: isOnDevice(device, host) }, signal);
  },

  async stop(pool, host) {
    await unmountPool(pool, host, isOnDevice(deviceOf(pool), host));
  },

  /** Makes the target directory and, when a flag says whether it may replace something, the file system. */
  async build(pool, host, flags, signal) {
    checkBuildFlags(flags);
    await buildTarget(pool, host, signal);
    if (flags !== 0) await format(pool, host, flags);
  },

  /** The target directory goes; what is on the device stays. */
  delete: deleteTarget,

  volumes: fileVolumes,
};

function formatOf({ source }: PoolDocument): string {
  return source.format ?? ANY_FORMAT;
}

function deviceOf({ source }: PoolDocument): string {
  const [device, ...others] = source.devices;
  if (device === undefined) {
    throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, "missing source device");
  }
  if (others.length === 0) return device.path;
  const text = "expected exactly 1 device for the storage pool";
  throw LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, text);
}

function isOnDevice(device: string, host: Host): IsSource {
  return ({ source }) => leadToOneDevice(source, device, host);
}

async function format(pool: PoolDocument, host: Host, flags: number): Promise<void> {
  const device = pool.source.devices[0]?.path;
  if (device === undefined) throw notFormatted("No source device specified", pool);
  await host.facts(device).catch((thrown: unknown) => {
    throw notFormatted("Source device does not exist", pool, failure(thrown, `cannot stat device '${device}'`));
  });
  const wanted = formatOf(pool);
  if ((flags & BUILD_NO_OVERWRITE) !== 0) await checkDeviceLabel(device, wanted, "build", host);
  await runCommand(host, mkfs(wanted, device));
}

function notFormatted(reason: string, { name }: PoolDocument, cause?: unknown): LibvirtError {
  const text = `${reason} when formatting pool '${name}'`;
  return LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, text, { cause });
}
