import type { PoolAdapter } from "@cistern/documents";
import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import { fibreChannelHost } from "./fibre-channel.js";
import type { Sysfs } from "./sysfs.js";

/** The number N of the SCSI host (`hostN`) that an adapter means now. Throws libvirt's error where there is none. */
export async function hostNumberOf(adapter: PoolAdapter, sysfs: Sysfs): Promise<number> {
  if (adapter.type === "fc_host") {
    const number = await fibreChannelHost(sysfs, adapter);
    if (number !== null) return number;
    const text = `Failed to find SCSI host with wwnn='${adapter.wwnn}', wwpn='${adapter.wwpn}'`;
    throw LibvirtError.of(ErrorCode.XML_ERROR, ErrorDomain.STORAGE, text);
  }
  if (adapter.parentAddress === null) return numberInName(adapter.name ?? "");
  const { domain, bus, slot, function: pciFunction, uniqueId } = adapter.parentAddress;
  const address = `${hex(domain, 4)}:${hex(bus, 2)}:${hex(slot, 2)}.${pciFunction}`;
  const number = await hostAtAddress(address, uniqueId ?? 0, sysfs);
  if (number !== null) return number;
  const text = `Failed to find scsi_host using PCI '${address}' and unique_id='${uniqueId ?? 0}'`;
  throw LibvirtError.of(ErrorCode.XML_ERROR, ErrorDomain.NONE, text);
}

/** `scsi_host3`, `fc_host3` and `host3` are names of the same host. */
export function numberInName(name: string): number {
  const number = name.replace(/^(?:scsi_|fc_)?(?:host)?/, "");
  if (/^\d{1,9}$/.test(number) && name !== number) return Number(number);
  const text = `Invalid adapter name '${number}' for SCSI pool`;
  throw LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.NONE, text);
}

/** A controller can have several hosts: they share its PCI address, and each has a number of its own in `unique_id`. */
async function hostAtAddress(address: string, uniqueId: number, sysfs: Sysfs): Promise<number | null> {
  const hosts = "class/scsi_host";
  for (const name of (await sysfs.names(hosts)) ?? []) {
    if (!/^host\d+$/.test(name)) continue;
    const device = await sysfs.link(hosts, name);
    if (device === null || !device.includes(`/${address}/`)) continue;
    if (Number(await sysfs.read(`${hosts}/${name}`, "unique_id")) === uniqueId) return numberInName(name);
  }
  return null;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
