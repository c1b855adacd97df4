import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { CancelSignal } from "../../cancel-signal.js";
import type { Host } from "../../host/host.js";
import { hostLimits } from "../../host/index.js";
import { settle } from "../shared/block/settle.js";
import { failingAs } from "../shared/failure.js";
import {
  FC_HOSTS,
  type FibreChannelAdapter,
  fibreChannelHost,
  fibreChannelHosts,
  hostWith,
  parentOf,
  virtualClass,
  worldWideName,
} from "./fibre-channel.js";
import { numberInName } from "./host-number.js";
import type { Sysfs } from "./sysfs.js";

/*
 * Virtual Fibre Channel hosts (NPIV): the kernel makes one on a parent host when "WWPN:WWNN" is written to its vport_create. The
 * order of checks, codes and texts are libvirt's.
 */

/** The names say which host it is; where there is none, it is made. Whether it was made. */
export async function createVirtualHost(
  adapter: FibreChannelAdapter,
  sysfs: Sysfs,
  host: Host,
  signal: CancelSignal,
): Promise<boolean> {
  const existing = await fibreChannelHost(sysfs, adapter);
  if (existing !== null) {
    if (adapter.parent !== null) await checkParent(existing, adapter.parent, sysfs);
    return false;
  }
  const parent = await wantedParent(adapter, sysfs);
  await manage("vport_create", parent, adapter, sysfs, signal);
  await settle(host, signal);
  if ((await fibreChannelHost(sysfs, adapter)) !== null) return true;
  await manage("vport_delete", parent, adapter, sysfs).catch(() => {
    // It never came; what matters is that.
  });
  throw notFound(adapter);
}

export async function deleteVirtualHost(adapter: FibreChannelAdapter, sysfs: Sysfs): Promise<void> {
  const existing = await fibreChannelHost(sysfs, adapter);
  if (existing === null) throw notFound(adapter);
  // A host that rests on none is real, whatever a document calls it, and cannot be deleted.
  const parent = await parentOf(sysfs, existing);
  if (parent === null) {
    const text = `the wwnn/wwpn for 'host${existing}' are assigned to an HBA`;
    throw LibvirtError.of(ErrorCode.XML_ERROR, ErrorDomain.STORAGE, text);
  }
  await manage("vport_delete", parent, adapter, sysfs);
}

/** The host exists already: then its parent must be the one that the document names. */
async function checkParent(existing: number, wanted: string, sysfs: Sysfs): Promise<void> {
  const fail = (text: string) => LibvirtError.of(ErrorCode.XML_ERROR, ErrorDomain.STORAGE, text);
  const number = tryNumber(wanted);
  if (number === null) throw fail(`parent '${wanted}' is not properly formatted`);
  if (!(await fibreChannelHosts(sysfs)).includes(number)) {
    throw fail(`parent '${wanted}' is not an fc_host for the wwnn/wwpn`);
  }
  const parent = await parentOf(sysfs, existing);
  if (parent === null) throw fail(`the wwnn/wwpn for 'host${existing}' are assigned to an HBA`);
  if (parent === number) return;
  const both = `Parent attribute '${wanted}' does not match parent 'scsi_host${parent}'`;
  throw fail(`${both} determined for the 'host${existing}' wwnn/wwpn lookup.`);
}

/** By name, by its own names, by its fabric, or the first that has room for another virtual host. */
async function wantedParent(adapter: FibreChannelAdapter, sysfs: Sysfs): Promise<number> {
  const fail = (text: string) => LibvirtError.of(ErrorCode.XML_ERROR, ErrorDomain.NODEDEV, text);
  const { parent, parentWwnn, parentWwpn, parentFabricWwn } = adapter;
  if (parent !== null) {
    const number = numberInName(parent);
    if (await sysfs.exists(`${FC_HOSTS}/host${number}`)) return number;
    throw fail(`parent '${parent}' specified for vHBA does not exist`);
  }
  if (parentWwnn !== null && parentWwpn !== null) {
    const number = await hostWith(sysfs, { node_name: parentWwnn, port_name: parentWwpn });
    if (number !== null) return number;
    throw fail("cannot find parent using provided wwnn/wwpn");
  }
  if (parentFabricWwn !== null) {
    const number = await hostWith(sysfs, { fabric_name: parentFabricWwn }, true);
    if (number !== null) return number;
    throw fail("cannot find parent using provided fabric_wwn");
  }
  for (const number of await fibreChannelHosts(sysfs)) {
    if (await hasRoom(number, sysfs)) return number;
  }
  throw fail("'parent' for vHBA not specified, and cannot find one on this host");
}

async function hasRoom(number: number, sysfs: Sysfs): Promise<boolean> {
  const hosts = await virtualClass(sysfs, number);
  if (hosts === null) return false;
  if ((await sysfs.read(`${FC_HOSTS}/host${number}`, "port_state")) !== "Online") return false;
  const directory = `${hosts}/host${number}`;
  const most = Number((await sysfs.read(directory, "max_npiv_vports")) ?? "0");
  return most > Number((await sysfs.read(directory, "npiv_vports_inuse")) ?? "0");
}

async function manage(
  operation: "vport_create" | "vport_delete",
  parent: number,
  adapter: FibreChannelAdapter,
  sysfs: Sysfs,
  signal?: CancelSignal,
): Promise<void> {
  const hosts = await virtualClass(sysfs, parent);
  if (hosts === null) {
    const text = `vport operation '${operation}' is not supported for host${parent}`;
    throw LibvirtError.of(ErrorCode.OPERATION_INVALID, ErrorDomain.NONE, text);
  }
  const attribute = `${hosts}/host${parent}/${operation}`;
  const names = `${worldWideName(adapter.wwpn)}:${worldWideName(adapter.wwnn)}`;
  const detail = `Write of '${names}' to '${sysfs.path(attribute)}' during vport create/delete failed`;
  const options = { timeoutMs: hostLimits.scsiScanMs, ...(signal === undefined ? {} : { signal }) };
  await failingAs(detail, sysfs.write(attribute, names, options), ErrorDomain.NONE);
}

function tryNumber(name: string): number | null {
  try {
    return numberInName(name);
  } catch {
    return null;
  }
}

function notFound({ wwnn, wwpn }: FibreChannelAdapter): LibvirtError {
  const text = `Failed to find fc_host for wwnn='${wwnn}' and wwpn='${wwpn}'`;
  return LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.NODEDEV, text);
}
