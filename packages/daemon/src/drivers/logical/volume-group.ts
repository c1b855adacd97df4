import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import type { Host } from "../../host/host.js";
import {
  isGroupName,
  type LogicalVolume,
  listLogicalVolumes,
  listPhysicalVolumes,
  type PhysicalVolume,
  parseLogicalVolumes,
  parsePhysicalVolumes,
  scanForGroups,
} from "../../tools/lvm.js";
import { isErrno } from "../shared/failure.js";
import { runCommand } from "../shared/run-command.js";
import { pathOf } from "../shared/target-directory.js";

/** The pool's volume group. Refuses what LVM would not take for a name: 8, or the error that the group is not there. */
export function groupOf(pool: PoolDocument): string {
  const group = pool.source.name ?? pool.name;
  if (isGroupName(group)) return group;
  throw LibvirtError.of(
    ErrorCode.INVALID_ARG,
    ErrorDomain.STORAGE,
    `'${group}' is no name that a logical volume group can have`,
  );
}

/** Devices that belong to groups, after LVM has looked for new ones. */
export async function physicalVolumes(host: Host, signal?: CancelSignal): Promise<PhysicalVolume[]> {
  const options = signal === undefined ? {} : { signal };
  // As with libvirt nobody minds when it fails, unless it was called off; what is there is listed next.
  await host.run(scanForGroups(), options).catch((thrown: unknown) => {
    if (isErrno(thrown, "ECANCELED")) throw thrown;
  });
  return parsePhysicalVolumes(await runCommand(host, listPhysicalVolumes(), options));
}

/** Refuses a pool whose group is not there, or lies on none of the devices that the document names. */
export async function findGroup(pool: PoolDocument, host: Host, signal?: CancelSignal): Promise<void> {
  const group = groupOf(pool);
  const devices = (await physicalVolumes(host, signal)).filter((device) => device.group === group);
  if (devices.length === 0) throw unsupportedGroup(`cannot find logical volume group name '${group}'`);
  if (pool.source.devices.length === 0) return;
  if (await anyIsOneOf(pool.source.devices, devices, host)) return;
  throw unsupportedGroup(`cannot find any matching source devices for logical volume group '${group}'`);
}

function unsupportedGroup(text: string): LibvirtError {
  return LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, text);
}

/** A document may name a device by a link (/dev/disk/by-id/…), LVM names it as the kernel does. */
async function anyIsOneOf(
  wanted: readonly { readonly path: string }[],
  devices: readonly PhysicalVolume[],
  host: Host,
): Promise<boolean> {
  for (const { path } of wanted) {
    if (devices.some(({ devicePath }) => devicePath === path)) return true;
    const identity = await identityOf(path, host);
    if (identity === null) continue;
    for (const { devicePath } of devices) if ((await identityOf(devicePath, host)) === identity) return true;
  }
  return false;
}

/** Of the node that a path leads to; null: it leads to none. */
export async function identityOf(path: string, host: Host): Promise<string | null> {
  if (!path.startsWith("/")) return null;
  return host.facts(path).then(
    ({ device, inode }) => `${device}:${inode}`,
    () => null,
  );
}

/** All visible volumes of the group, thin pools and temporary ones too; fails with LVM's words where it is gone. */
export async function logicalVolumes(group: string, host: Host, signal?: CancelSignal): Promise<LogicalVolume[]> {
  const options = signal === undefined ? {} : { signal };
  return parseLogicalVolumes(await runCommand(host, listLogicalVolumes(group), options));
}

/** 55 where somebody uses one of them: LVM would remove others first, and stop in the middle. */
export function refuseOpen(volumes: readonly LogicalVolume[], what: string): void {
  const open = volumes.filter(({ isOpen }) => isOpen).map(({ name }) => `'${name}'`);
  if (open.length === 0) return;
  const text = `${what} is still in use: ${open.join(", ")} ${open.length === 1 ? "is" : "are"} open`;
  throw LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, text);
}

/** Somebody else removed the volume, or renamed it, and made another one of its name. */
export function replaced(volume: VolumeDocument): LibvirtError {
  const text = `no storage vol with matching path '${pathOf(volume)}': another volume has its name now`;
  return LibvirtError.of(ErrorCode.NO_STORAGE_VOL, ErrorDomain.STORAGE, text);
}
