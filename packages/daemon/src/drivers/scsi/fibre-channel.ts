import type { PoolAdapter } from "@cistern/documents";
import type { Sysfs } from "./sysfs.js";

export type FibreChannelAdapter = Extract<PoolAdapter, { type: "fc_host" }>;

export const FC_HOSTS = "class/fc_host";
export const SCSI_HOSTS = "class/scsi_host";

/** The number of the Fibre Channel host with these names, virtual or not; null: there is none. */
export function fibreChannelHost(
  sysfs: Sysfs,
  { wwnn, wwpn }: { readonly wwnn: string; readonly wwpn: string },
): Promise<number | null> {
  return hostWith(sysfs, { node_name: wwnn, port_name: wwpn });
}

/** The number of the first host whose attributes are these names, and that takes virtual hosts where it has to. */
export async function hostWith(
  sysfs: Sysfs,
  names: Readonly<Record<string, string>>,
  needsVirtual = false,
): Promise<number | null> {
  for (const host of await fibreChannelHosts(sysfs)) {
    let matches = !needsVirtual || (await isVirtualCapable(sysfs, host));
    for (const [attribute, name] of Object.entries(names)) {
      const value = matches ? await sysfs.read(`${FC_HOSTS}/host${host}`, attribute) : null;
      matches = value !== null && worldWideName(value) === worldWideName(name);
    }
    if (matches) return host;
  }
  return null;
}

/** Numbers of all Fibre Channel hosts, in order. */
export async function fibreChannelHosts(sysfs: Sysfs): Promise<number[]> {
  const numbers: number[] = [];
  for (const name of (await sysfs.names(FC_HOSTS)) ?? []) {
    const [, number] = /^host(\d{1,9})$/.exec(name) ?? [];
    if (number !== undefined) numbers.push(Number(number));
  }
  return numbers.sort((left, right) => left - right);
}

/** The class in which a host has what is about virtual hosts (NPIV): it differs between drivers; null: it knows none. */
export async function virtualClass(sysfs: Sysfs, host: number): Promise<string | null> {
  for (const hosts of [FC_HOSTS, SCSI_HOSTS]) {
    const attributes = (await sysfs.names(`${hosts}/host${host}`)) ?? [];
    if (attributes.includes("vport_create")) return hosts;
  }
  return null;
}

async function isVirtualCapable(sysfs: Sysfs, host: number): Promise<boolean> {
  return (await virtualClass(sysfs, host)) !== null;
}

/** The host on which a virtual host rests, from where its device lies: `…/host1/vport-1:0-0/host2/fc_host/host2`; null: none. */
export async function parentOf(sysfs: Sysfs, host: number): Promise<number | null> {
  const device = (await sysfs.link(FC_HOSTS, `host${host}`)) ?? "";
  const [, parent] = /\/host(\d{1,9})\/vport-[^/]+\/host\d+\//.exec(device) ?? [];
  return parent === undefined ? null : Number(parent);
}

/** 16 digits. sysfs writes `0x20000000c9831b4b` without leading zeros, documents have all digits, with or without the prefix. */
export function worldWideName(text: string): string {
  return text.toLowerCase().replace(/^0x/, "").padStart(16, "0");
}
