import { randomBytes } from "node:crypto";
import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { Host } from "../../host/host.js";
import type { UnitTrace } from "../../jobs/job.js";
import { createVolume, parseBytes, renameVolume, resizeVolume, volumeBlockSize } from "../../tools/zfs.js";
import type { CloneSource, FoundVolume, VolumeContext } from "../driver.js";
import { wipeDevice } from "../shared/block/device-streams.js";
import { fillDevice } from "../shared/block/fill-device.js";
import { throwIfCalledOff } from "../shared/failure.js";
import { pathOf } from "../shared/target-directory.js";
import { datasetOf, runZfs, zvolOf } from "./datasets.js";
import { awaitDevice, destroyZvol, isTaken, lookAtZvol, unlessBusy, zvolPath } from "./zvols.js";

const ALLOCATE = 1;
const SHRINK = 4;
const WITH_SNAPSHOTS = 2;
const TRIM = 9;

/** What a volume is called until it is complete. ZFS takes no names that begin with a dot and are hidden by it. */
const TEMPORARY = /^cistern-new-[0-9a-f]{16}$/;

/** Whether a volume is only being made, or is left over from that. */
export function isTemporary(name: string): boolean {
  return TEMPORARY.test(name);
}

export async function allocateZvol(
  pool: PoolDocument,
  wanted: VolumeDocument,
  { host }: VolumeContext,
): Promise<VolumeDocument> {
  if (wanted.target.encryption !== null) {
    const text = "storage pool does not support encrypted volumes";
    throw LibvirtError.of(ErrorCode.CONFIG_UNSUPPORTED, ErrorDomain.STORAGE, text);
  }
  const fullName = zvolOf(pool, wanted);
  const { name } = wanted;
  if (isTemporary(name)) throw refusal(`'${name}' is what volumes are called while they are being made`);
  if (await isTaken(datasetOf(pool), fullName, host)) throw refusal(`dataset '${fullName}' already exists`);
  return { ...wanted, type: "block", key: fullName, target: { ...wanted.target, path: zvolPath(pool, name) } };
}

function refusal(text: string): LibvirtError {
  return LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.STORAGE, text);
}

/** Makes it under a temporary name, and gives it its own when its content is complete. */
export async function fillZvol(
  pool: PoolDocument,
  volume: VolumeDocument,
  source: CloneSource | null,
  flags: number,
  context: VolumeContext,
): Promise<FoundVolume> {
  const { host, job } = context;
  const fullName = zvolOf(pool, volume);
  const givenUp = `creation of '${fullName}' was given up`;
  throwIfCalledOff(job.signal, givenUp);
  const place = datasetOf(pool);
  const temporary = `cistern-new-${randomBytes(8).toString("hex")}`;
  const recorded = await job.record({
    kind: "unit",
    poolType: "zfs",
    place,
    name: volume.name,
    identity: temporary,
  });
  let made = `${place}/${temporary}`;
  try {
    const { capacityBytes, allocationBytes } = volume;
    // Not ended halfway: the kernel would go on with it.
    await runZfs(host, createVolume({ fullName: made, capacityBytes, allocationBytes }));
    const device = zvolPath(pool, temporary);
    await awaitDevice(device, host, job.signal);
    await fillDevice(pool, volume, device, source, flags, context, { showsZeros: true });
    throwIfCalledOff(job.signal, givenUp);
    await unlessBusy(host, () => runZfs(host, renameVolume(made, fullName)));
    made = fullName;
    await awaitDevice(pathOf(volume), host, job.signal);
    const found = await lookAtZvol(pool, fullName, host);
    if (found === null) throw refusal(`volume '${fullName}' was removed while it was being made`);
    await recorded.release();
    return found;
  } catch (thrown) {
    // What could not be destroyed stays on record: the next daemon tries again.
    await destroyZvol(place, made, false, host).then(
      () => recorded.release(),
      () => {},
    );
    throw thrown;
  }
}

/** What a daemon that died has left under its temporary name; once it has its own, it is complete. */
export async function undoZvol({ place, identity }: UnitTrace, host: Host): Promise<string> {
  if (!isTemporary(identity)) throw refusal(`'${identity}' is no name that volumes have while they are being made`);
  const fullName = `${place}/${identity}`;
  const destroyed = await destroyZvol(place, fullName, false, host);
  return destroyed ? `'${fullName}' was destroyed` : "nothing is left of it";
}

export async function refreshZvol(
  pool: PoolDocument,
  { document }: FoundVolume,
  _probe: boolean,
  host: Host,
): Promise<FoundVolume> {
  const found = await lookAtZvol(pool, zvolOf(pool, document), host);
  if (found !== null) return found;
  const text = `no storage vol with matching path '${pathOf(document)}'`;
  throw LibvirtError.of(ErrorCode.NO_STORAGE_VOL, ErrorDomain.STORAGE, text);
}

/** libvirt knows no flags here. Snapshots of a volume, which ZFS does not remove by itself, go with it when that is asked for. */
export async function removeZvol(
  pool: PoolDocument,
  volume: VolumeDocument,
  flags: number,
  { host }: VolumeContext,
): Promise<void> {
  LibvirtError.checkFlags(ErrorDomain.STORAGE, "virStorageBackendZFSDeleteVol", flags, WITH_SNAPSHOTS);
  await destroyZvol(datasetOf(pool), zvolOf(pool, volume), (flags & WITH_SNAPSHOTS) !== 0, host);
}

/** In whole blocks of the volume. What was reserved for all of it stays so. */
export async function resizeZvol(
  pool: PoolDocument,
  volume: VolumeDocument,
  capacityBytes: bigint,
  flags: number,
  { host, job }: VolumeContext,
): Promise<void> {
  LibvirtError.checkFlags(ErrorDomain.STORAGE, "virStorageBackendZFSResizeVol", flags, ALLOCATE | SHRINK);
  const fullName = zvolOf(pool, volume);
  const { signal } = job;
  const blockBytes = parseBytes(await runZfs(host, volumeBlockSize(fullName), { signal })) ?? 1n;
  const wholeBytes = ((capacityBytes + blockBytes - 1n) / blockBytes) * blockBytes;
  await runZfs(host, resizeVolume(fullName, wholeBytes, (flags & ALLOCATE) !== 0), { signal });
}

export async function wipeZvol(
  pool: PoolDocument,
  volume: VolumeDocument,
  algorithm: number,
  context: VolumeContext,
): Promise<void> {
  if (algorithm !== TRIM) {
    context.job.remark("ZFS writes to new blocks instead of the old ones: old blocks may survive.");
  }
  await wipeDevice(pool, volume, algorithm, context);
}
