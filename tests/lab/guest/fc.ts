// Fibre Channel without hardware: FCoE between the two ends of a virtual cable, the kernel's SCSI target (LIO) at one.

import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BackingStore, mapLun, prepareTarget, TARGET, write } from "./lio.js";
import { loadModules } from "./modules.js";
import { attempt, run, waitFor } from "./run.js";
import { settle } from "./udev.js";

const HOSTS = "/sys/class/fc_host";
const CREATE = "/sys/module/libfcoe/parameters/create_vn2vn";
const INITIATOR = { device: "fc-initiator", mac: "02:00:00:00:00:0a" };
const TARGET_END = { device: "fc-target", mac: "02:00:00:00:00:0b" };

export interface FcFabric {
  /** The initiator's host, such as "host1": the one that sees the disks. */
  readonly host: string;
  /** The target's own host, which a listing of FC hosts shows as well. */
  readonly targetHost: string;
  readonly wwnn: string;
  readonly wwpn: string;
}

/**
 * Lays the cable, gives the stores out at one end (LUNs from 0) and waits until the other end sees them. On the lane "qemu"
 * alone, once in a guest's life.
 */
export async function startFc(stores: readonly BackingStore[]): Promise<FcFabric> {
  loadModules("veth", "libfcoe", "fcoe", "sd_mod", "sg");
  prepareTarget("tcm_fc");
  run("ip", ["link", "add", INITIATOR.device, "type", "veth", "peer", "name", TARGET_END.device]);
  for (const { device, mac } of [INITIATOR, TARGET_END]) run("ip", ["link", "set", device, "address", mac]);
  // The cable stays dead until both ports are there: a frame that arrives while a port is being made crashes this kernel.
  run("ip", ["link", "set", INITIATOR.device, "up"]);

  const targetHost = await createPort(TARGET_END.device);
  const portGroup = join(TARGET, "fc", portNameOf(TARGET_END.mac), "tpgt_1");
  mkdirSync(join(TARGET, "fc"), { recursive: true });
  mkdirSync(portGroup, { recursive: true });
  const access = join(portGroup, "acls", portNameOf(INITIATOR.mac));
  for (const [lun, store] of stores.entries()) mapLun(portGroup, lun, store);
  mkdirSync(access);
  for (const [lun, store] of stores.entries()) {
    const path = join(access, `lun_${lun}`);
    mkdirSync(path);
    symlinkSync(join(portGroup, "lun", `lun_${lun}`), join(path, store.name));
    write(path, "write_protect", "0");
  }
  const host = await createPort(INITIATOR.device);
  // Only now: an initiator that has found no LUN does not look again by itself.
  run("ip", ["link", "set", TARGET_END.device, "up"]);
  await waitFor(
    "the appearance of the disks behind Fibre Channel",
    () =>
      attempt("lsscsi", ["--transport"])
        .stdout.split("\n")
        .filter((line) => line.includes("fcoe:")).length >= stores.length,
    60_000,
  );
  settle();
  return { host, targetHost, wwnn: fcAttribute(host, "node_name"), wwpn: fcAttribute(host, "port_name") };
}

/** All FC hosts, virtual ones too. */
export function fcHosts(): readonly string[] {
  return readdirSync(HOSTS).sort();
}

/** What a host says of itself: node_name, port_name, port_state, … */
export function fcAttribute(host: string, attribute: string): string {
  return readFileSync(join(HOSTS, host, attribute), "utf8").trim();
}

/** Makes a virtual host (NPIV); its name. Nothing is behind it: there is no switch to ask. */
export async function createVport(parent: string, wwpn: string, wwnn: string): Promise<string> {
  const before = new Set(fcHosts());
  writeFileSync(join(HOSTS, parent, "vport_create"), `${wwpn}:${wwnn}`);
  return waitFor("the appearance of a virtual host", () => fcHosts().find((host) => !before.has(host)));
}

export async function deleteVport(parent: string, wwpn: string, wwnn: string): Promise<void> {
  const before = fcHosts().length;
  writeFileSync(join(HOSTS, parent, "vport_delete"), `${wwpn}:${wwnn}`);
  await waitFor("the end of a virtual host", () => fcHosts().length < before);
}

async function createPort(device: string): Promise<string> {
  const before = new Set(attempt("ls", [HOSTS]).stdout.split("\n"));
  writeFileSync(CREATE, device);
  return waitFor(`the appearance of the FC host on ${device}`, () => fcHosts().find((host) => !before.has(host)));
}

/** FCoE makes a port's name of its MAC: 20:00 and the six bytes. */
function portNameOf(mac: string): string {
  return `20:00:${mac}`;
}
