import type { VolumeDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../cancel-signal.js";
import type { Host } from "../host/host.js";
import { describeFailure, hostLimits } from "../host/index.js";
import { type DeviceMap, hasNoDeviceMapper, listMaps, parseMaps } from "../tools/dmsetup.js";
import type { FoundVolume, StorageDriver } from "./driver.js";
import { withDeviceFacts } from "./shared/block/device.js";
import { openDeviceForDownload, openDeviceForUpload, wipeDevice } from "./shared/block/device-streams.js";
import { deviceVolume } from "./shared/block/device-volume.js";
import { failure, isErrno } from "./shared/failure.js";

const MAPS = "/dev/mapper";
/** Where some systems have, or had, them. */
const PLACES = [MAPS, "/dev/mpath"];

/** Pools of type "mpath": the maps of device-mapper that join several paths to one disk. multipathd makes them, not a pool. */
export const mpathDriver: StorageDriver = {
  type: "mpath",
  traits: { volumeKind: "block", allowsZeroCapacity: false, clones: false },

  async check(_pool, host) {
    const found = await Promise.allSettled(PLACES.map((path) => host.facts(path)));
    return found.some(({ status }) => status === "fulfilled");
  },

  async scan(pool, host, _known, signal) {
    const volumes: FoundVolume[] = [];
    let sizeBytes = 0n;
    for (const map of await multipathMaps(host, signal)) {
      const document = await mapVolume(map, host, signal);
      if (document === null) continue;
      volumes.push({ document, evidence: null });
      sizeBytes += document.capacityBytes;
    }
    return { capacityBytes: sizeBytes, allocationBytes: sizeBytes, availableBytes: 0n, pool, volumes };
  },

  volumes: {
    wipe: wipeDevice,
    openForDownload: openDeviceForDownload,
    openForUpload: openDeviceForUpload,
  },
};

async function multipathMaps(host: Host, signal: CancelSignal): Promise<DeviceMap[]> {
  const command = listMaps("multipath");
  const options = { signal, timeoutMs: hostLimits.deviceProbeMs };
  const result = await host.run(command, options).catch((thrown: unknown) => {
    const verb = isErrno(thrown, "ENOENT") ? "find" : "run";
    throw failure(thrown, `Cannot ${verb} '${command.program}'`, ErrorDomain.NONE);
  });
  if (result.exitStatus === 0) return parseMaps(result.stdout);
  if (hasNoDeviceMapper(result.stderr)) return [];
  throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.NONE, describeFailure(result));
}

/** null: it went away meanwhile, or cannot be opened now (libvirt leaves it and all behind it out). */
async function mapVolume({ name, minor }: DeviceMap, host: Host, signal: CancelSignal): Promise<VolumeDocument | null> {
  try {
    return await withDeviceFacts(deviceVolume(`dm-${minor}`, `${MAPS}/${name}`), host, signal);
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    return null;
  }
}
