import type { PoolAdapter, PoolDocument } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../cancel-signal.js";
import { hostLimits } from "../host/index.js";
import { NOTHING_MADE, type StorageDriver } from "./driver.js";
import { SCSI_HOSTS } from "./scsi/fibre-channel.js";
import { hostNumberOf } from "./scsi/host-number.js";
import { scanLuns } from "./scsi/luns.js";
import { Sysfs } from "./scsi/sysfs.js";
import { createVirtualHost, deleteVirtualHost } from "./scsi/virtual-host.js";
import { openDeviceForDownload, openDeviceForUpload, wipeDevice } from "./shared/block/device-streams.js";
import { failingAs } from "./shared/failure.js";

/** What a start notes when it made the virtual host that the pool is about. */
const VIRTUAL_HOST = "virtual host";
/** All buses, all targets, all LUNs. */
const EVERYTHING = "- - -";

/**
 * Pools of type "scsi": the LUNs of one SCSI host. There is nothing to start but a virtual Fibre Channel host, which is made
 * when nobody has made it, and then deleted when the pool stops.
 */
export const scsiDriver: StorageDriver = {
  type: "scsi",
  traits: { volumeKind: "block", allowsZeroCapacity: false, clones: false },

  async check(pool, host) {
    const sysfs = new Sysfs(host);
    try {
      return await sysfs.exists(`${SCSI_HOSTS}/host${await hostNumberOf(adapterOf(pool), sysfs)}`);
    } catch {
      // It may be a host that is only made when the pool starts.
      return false;
    }
  },

  async start(pool, host, { signal }) {
    const adapter = adapterOf(pool);
    if (adapter.type !== "fc_host") return NOTHING_MADE;
    if (!(await createVirtualHost(adapter, new Sysfs(host), host, signal))) return NOTHING_MADE;
    const source = { ...pool.source, adapter: { ...adapter, managed: true } };
    return { made: [VIRTUAL_HOST], pool: { ...pool, source } };
  },

  async stop(pool, host, { made }) {
    const adapter = adapterOf(pool);
    if (adapter.type !== "fc_host") return;
    if (made.includes(VIRTUAL_HOST) || adapter.managed === true) await deleteVirtualHost(adapter, new Sysfs(host));
  },

  async scan(pool, host, _known, signal) {
    const sysfs = new Sysfs(host);
    const adapter = adapterOf(pool);
    const hostNumber = await hostNumberOf(adapter, sysfs);
    await rescan(hostNumber, sysfs, signal);
    return scanLuns({ pool, hostNumber, keyHasPort: adapter.type === "fc_host", host, sysfs, signal });
  },

  volumes: {
    wipe: wipeDevice,
    openForDownload: openDeviceForDownload,
    openForUpload: openDeviceForUpload,
  },
};

function adapterOf({ source: { adapter } }: PoolDocument): PoolAdapter {
  if (adapter !== null) return adapter;
  throw LibvirtError.of(ErrorCode.XML_ERROR, ErrorDomain.STORAGE, "missing storage pool source adapter");
}

/** Lets the kernel look for LUNs that came; those it finds get their devices soon after. */
async function rescan(hostNumber: number, sysfs: Sysfs, signal: CancelSignal): Promise<void> {
  const attribute = `${SCSI_HOSTS}/host${hostNumber}/scan`;
  const options = { timeoutMs: hostLimits.scsiScanMs, signal };
  await failingAs(
    `Could not open '${sysfs.path(attribute)}' to trigger host scan`,
    sysfs.write(attribute, EVERYTHING, options),
  );
}
