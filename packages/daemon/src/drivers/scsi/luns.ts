import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { type CancelSignal, pause } from "../../cancel-signal.js";
import type { Host } from "../../host/host.js";
import { hostLimits } from "../../host/index.js";
import { factsOf, parseSerial, parseSerialAndPort, serialOf } from "../../tools/scsi-id.js";
import type { FoundVolume, PoolScan } from "../driver.js";
import { openDevice, withDeviceFacts } from "../shared/block/device.js";
import { deviceVolume } from "../shared/block/device-volume.js";
import { settle } from "../shared/block/settle.js";
import { stablePath } from "../shared/block/stable-path.js";
import { targetPath } from "../shared/target-directory.js";
import type { Sysfs } from "./sysfs.js";

const DEVICES = "bus/scsi/devices";
/** SCSI device types that have a block device. */
const DISK = "0";
const CD = "5";
const SECTOR_BYTES = 512;

export interface LunScan {
  readonly pool: PoolDocument;
  readonly hostNumber: number;
  /** LUNs of a Fibre Channel host may be seen through several ports: then the port belongs to the key. */
  readonly keyHasPort: boolean;
  readonly host: Host;
  readonly sysfs: Sysfs;
  readonly signal: CancelSignal;
}

/**
 * The LUNs of one SCSI host as volumes. One without a stable path in the pool's target, or without a medium, is left out. Of
 * several that tell the same serial (one disk by several paths), the first has it for a key, each other its own path.
 */
export async function scanLuns(scan: LunScan): Promise<PoolScan> {
  await settle(scan.host, scan.signal);
  const volumes: FoundVolume[] = [];
  const keys = new Set<string>();
  let sizeBytes = 0n;
  const luns = await lunsOf(scan);
  for (let first = 0; first < luns.length; first += hostLimits.lunsAtOnce) {
    const some = luns.slice(first, first + hostLimits.lunsAtOnce);
    for (const volume of await Promise.all(some.map((lun) => lunVolume(lun, scan)))) {
      if (volume === null) continue;
      const document = keys.has(volume.key ?? "") ? { ...volume, key: volume.target.path } : volume;
      keys.add(document.key ?? "");
      volumes.push({ document, evidence: null });
      sizeBytes += document.capacityBytes;
    }
  }
  const sizes = { capacityBytes: sizeBytes, allocationBytes: sizeBytes, availableBytes: 0n };
  return { ...sizes, pool: scan.pool, volumes };
}

interface Lun {
  /** HOST:BUS:TARGET:LUN, as the kernel calls it. */
  readonly address: string;
  readonly blockDevice: string;
  readonly type: string;
}

/** In the order of their addresses. */
async function lunsOf(scan: LunScan): Promise<Lun[]> {
  const { hostNumber, sysfs } = scan;
  const addresses = ((await sysfs.names(DEVICES)) ?? []).filter((name) => isAddressOf(hostNumber, name));
  addresses.sort(byNumbers);
  const found = addresses.map(async (address) => {
    const type = await sysfs.read(`${DEVICES}/${address}`, "type");
    if (type !== DISK && type !== CD) return null;
    const blockDevice = await blockDeviceOf(address, scan);
    return blockDevice === null ? null : { address, blockDevice, type };
  });
  return (await Promise.all(found)).filter((lun) => lun !== null);
}

/** The kernel looks at a new disk in the background, after it has shown the LUN; null: nothing comes of it. */
async function blockDeviceOf(address: string, { sysfs, signal }: LunScan): Promise<string | null> {
  for (let attempt = 1; ; attempt++) {
    const [blockDevice] = (await sysfs.names(`${DEVICES}/${address}/block`)) ?? [];
    if (blockDevice !== undefined) return blockDevice;
    if (attempt >= hostLimits.blockDeviceAttempts || signal.aborted) return null;
    await pause(hostLimits.stablePathPauseMs, signal);
  }
}

function isAddressOf(hostNumber: number, name: string): boolean {
  return /^\d+:\d+:\d+:\d+$/.test(name) && name.startsWith(`${hostNumber}:`);
}

function byNumbers(left: string, right: string): number {
  const [a, b] = [left.split(":"), right.split(":")];
  const differs = a.findIndex((part, index) => part !== b[index]);
  return differs === -1 ? 0 : Number(BigInt(a[differs] ?? 0) - BigInt(b[differs] ?? 0));
}

/** null: it has no stable path, or there is nothing to read in it. */
async function lunVolume({ address, blockDevice, type }: Lun, scan: LunScan): Promise<VolumeDocument | null> {
  const { pool, host, signal } = scan;
  const devicePath = `/dev/${blockDevice}`;
  const path = await stablePath(pool, devicePath, host, signal);
  if (path === null || (path === devicePath && targetPath(pool) !== "/dev")) return null;
  if (type === CD && !(await canBeRead(devicePath, host, signal))) return null;
  const name = `unit:${address.slice(address.indexOf(":") + 1)}`;
  const volume = deviceVolume(name, path, await serialKey(devicePath, scan));
  return withDeviceFacts(volume, host, signal);
}

/** An empty drive can be opened, and has a size that is made up; reading fails. */
async function canBeRead(devicePath: string, host: Host, signal: CancelSignal): Promise<boolean> {
  try {
    await using device = await openDevice(host, devicePath, "read", { signal });
    await device.read(0n, SECTOR_BYTES, { signal });
    return true;
  } catch {
    return false;
  }
}

/** null: the device tells no serial (or the program that asks it is missing or hangs); then its path is the key. */
async function serialKey(devicePath: string, { keyHasPort, host, signal }: LunScan): Promise<string | null> {
  const command = keyHasPort ? factsOf(devicePath) : serialOf(devicePath);
  const result = await host.run(command, { signal, timeoutMs: hostLimits.deviceProbeMs }).catch(() => null);
  if (result === null || result.exitStatus !== 0) return null;
  return keyHasPort ? parseSerialAndPort(result.stdout) : parseSerial(result.stdout);
}
