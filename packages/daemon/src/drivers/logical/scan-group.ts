import type { PoolDocument, SourceExtents, VolumeDocument, VolumeTarget } from "@cistern/documents";
import type { CancelSignal } from "../../cancel-signal.js";
import type { Host } from "../../host/host.js";
import { hostLimits } from "../../host/index.js";
import { groupSpace, type LogicalVolume, parseGroupSpace } from "../../tools/lvm.js";
import type { FoundVolume, PoolScan } from "../driver.js";
import { withDeviceFacts } from "../shared/block/device.js";
import { settle } from "../shared/block/settle.js";
import { runCommand } from "../shared/run-command.js";
import { volumePath } from "../shared/target-directory.js";
import { plainTarget } from "../shared/volume-document.js";
import { isTemporaryVolumeName } from "./temporary-volume.js";
import { groupOf, logicalVolumes } from "./volume-group.js";

/** The group's space and its volumes: whatever is active and is no thin pool, nor being made. */
export async function scanGroup(pool: PoolDocument, host: Host, signal: CancelSignal): Promise<PoolScan> {
  const group = groupOf(pool);
  await settle(host, signal);
  const listed = (await logicalVolumes(group, host, signal)).filter(isVolume);
  const volumes = await documentsOf(pool, listed, host, signal);
  const space = parseGroupSpace(await runCommand(host, groupSpace(group), { signal }));
  return {
    pool,
    capacityBytes: space?.sizeBytes ?? pool.capacityBytes,
    availableBytes: space?.freeBytes ?? pool.availableBytes,
    allocationBytes: space === null ? pool.allocationBytes : space.sizeBytes - space.freeBytes,
    volumes,
  };
}

function isVolume({ name, isActive, kind }: LogicalVolume): boolean {
  return isActive && kind !== "pool" && !isTemporaryVolumeName(name);
}

async function documentsOf(
  pool: PoolDocument,
  listed: readonly LogicalVolume[],
  host: Host,
  signal: CancelSignal,
): Promise<FoundVolume[]> {
  const found = new Map<LogicalVolume, FoundVolume>();
  const queue = listed.values();
  const lookAtNext = async (): Promise<void> => {
    for (const volume of queue) {
      const document = await documentOf(pool, volume, host, signal);
      if (document !== null) found.set(volume, { document, evidence: null });
    }
  };
  await Promise.all(Array.from({ length: hostLimits.devicesAtOnce }, lookAtNext));
  return listed.flatMap((volume) => found.get(volume) ?? []);
}

/** ENOENT, ENODEV, ENXIO */
const GONE: ReadonlySet<number> = new Set([2, 19, 6]);

/** null: it was removed or deactivated since it was listed. */
export async function documentOf(
  pool: PoolDocument,
  volume: LogicalVolume,
  host: Host,
  signal?: CancelSignal,
): Promise<VolumeDocument | null> {
  try {
    const document = await withDeviceFacts(plainDocument(pool, volume), host, signal);
    const backingStore = await withOriginFacts(document, host, signal);
    return { ...document, allocationBytes: allocationOf(volume), backingStore };
  } catch (thrown) {
    if (thrown instanceof Error && "int1" in thrown && GONE.has(Number(thrown.int1))) return null;
    throw thrown;
  }
}

/** Of an origin, who may use it and since when; where that cannot be told, its path alone. */
async function withOriginFacts(
  { backingStore, ...volume }: VolumeDocument,
  host: Host,
  signal?: CancelSignal,
): Promise<VolumeTarget | null> {
  if (backingStore === null) return null;
  const origin = { ...volume, backingStore: null, target: backingStore };
  return withDeviceFacts(origin, host, signal).then(
    ({ target }) => target,
    () => backingStore,
  );
}

/** What LVM tells; capacity and permissions are the device's. */
function plainDocument(pool: PoolDocument, volume: LogicalVolume): VolumeDocument {
  const { name, uuid, origin, kind } = volume;
  // A thin volume that began as a snapshot needs its origin no more: it is not built on it.
  const isBuiltOn = origin !== null && kind === "snapshot";
  return {
    type: "block",
    name,
    key: uuid,
    source: extentsOf(volume),
    capacityBytes: 0n,
    allocationBytes: 0n,
    physicalBytes: 0n,
    hasAllocation: true,
    target: { ...plainTarget(volumePath(pool, name), "raw"), format: null },
    backingStore: isBuiltOn ? { ...plainTarget(volumePath(pool, origin), "raw"), format: null } : null,
  };
}

/** Of a thin volume, what is written of it (libvirt does not show these); of any other, what it takes of the group. */
function allocationOf({ kind, sizeBytes, usedHundredths }: LogicalVolume): bigint {
  if (kind !== "thin" || usedHundredths === null) return sizeBytes;
  return (sizeBytes * BigInt(usedHundredths)) / WHOLE;
}

/** In hundredths of a percent. */
const WHOLE = 10_000n;

/** Neighbours on the same device share an element, as in libvirt's documents. */
function extentsOf({ segments }: LogicalVolume): SourceExtents[] {
  const devices: { devicePath: string; extents: { startBytes: bigint; endBytes: bigint }[] }[] = [];
  for (const { devicePath, startBytes, endBytes } of segments) {
    const last = devices.at(-1);
    if (last?.devicePath === devicePath) last.extents.push({ startBytes, endBytes });
    else devices.push({ devicePath, extents: [{ startBytes, endBytes }] });
  }
  return devices;
}
