// Fibre Channel without hardware: FCoE between the two ends of a virtual Ethernet cable, where neither end is a switch
// (VN2VN), with LIO as the target on one of them. It needs modules that only the QEMU lane's kernel has.

import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BackingStore, mapLun, prepareTarget, TARGET } from "./lio.js";
import { loadModules } from "./modules.js";
import { run, waitFor } from "./run.js";
import { settle } from "./udev.js";

const CREATE = "/sys/module/libfcoe/parameters/create_vn2vn";
const HOSTS = "/sys/class/fc_host";
/** FCoE makes a host's names from its MAC address. */
const INITIATOR_MAC = "02:00:00:00:00:0a";
const TARGET_MAC = "02:00:00:00:00:0b";
const FIND_MS = 60_000;

export interface FibreChannelPair {
  /** The hosts' names, such as "host7". The target's sees no disks. */
  readonly initiator: string;
  readonly target: string;
}

/** Two Fibre Channel hosts that see each other, and the stores as LUNs that the initiator sees. Once in a guest's life. */
export async function fibreChannelPair(stores: readonly BackingStore[]): Promise<FibreChannelPair> {
  prepareTarget("tcm_fc");
  loadModules("veth", "fcoe", "libfcoe", "sd_mod");
  run("ip", ["link", "add", "fa", "type", "veth", "peer", "name", "fb"]);
  run("ip", ["link", "set", "fa", "address", INITIATOR_MAC, "up"]);
  run("ip", ["link", "set", "fb", "address", TARGET_MAC, "up"]);
  const target = await hostOn("fb");
  const portName = (mac: string) => `20:00:${mac}`;
  const group = join(TARGET, "fc", portName(TARGET_MAC), "tpgt_1");
  mkdirSync(join(TARGET, "fc"), { recursive: true });
  mkdirSync(group, { recursive: true });
  for (const [lun, store] of stores.entries()) mapLun(group, lun, store);
  // The initiator is let in before it comes: it asks once.
  const guest = join(group, "acls", portName(INITIATOR_MAC));
  mkdirSync(guest);
  for (const [lun, store] of stores.entries()) {
    const mapped = join(guest, `lun_${lun}`);
    mkdirSync(mapped);
    symlinkSync(join(group, "lun", `lun_${lun}`), join(mapped, store.name));
    writeFileSync(join(mapped, "write_protect"), "0");
  }
  const initiator = await hostOn("fa");
  await waitFor(`the disks of ${initiator}`, () => disksBehind(initiator) >= stores.length, FIND_MS);
  settle();
  return { initiator, target };
}

/** An attribute of a host, such as its `node_name`: "0x…". */
export function fibreChannelAttribute(host: string, attribute: string): string {
  return readFileSync(join(HOSTS, host, attribute), "utf8").trim();
}

/** All Fibre Channel hosts, in order. */
export function fibreChannelHosts(): string[] {
  return existsSync(HOSTS) ? readdirSync(HOSTS).sort() : [];
}

async function hostOn(networkInterface: string): Promise<string> {
  const before = fibreChannelHosts();
  writeFileSync(CREATE, networkInterface);
  return waitFor(`the appearance of a host on ${networkInterface}`, () => {
    const host = fibreChannelHosts().find((name) => !before.includes(name));
    return host !== undefined && fibreChannelAttribute(host, "port_state") === "Online" && host;
  });
}

function disksBehind(host: string): number {
  const number = host.slice("host".length);
  return readdirSync("/sys/class/scsi_disk").filter((address) => address.startsWith(`${number}:`)).length;
}
