import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Libvirtd, libvirtdUnavailable, prepareLibvirtd } from "./libvirtd.js";
import type { NamespaceMount } from "./mount-namespace.js";

const EMULATOR = "/usr/bin/qemu-system-x86_64";

/** Guests run as root, without what a machine in a container may not have: control groups, security labels, namespaces. */
const QEMU_CONFIGURATION = `user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
remember_owner = 0
stdio_handler = "file"
`;

/** Why real guests cannot be run here, or undefined when they can. */
export function hypervisorUnavailable(): string | undefined {
  return libvirtdUnavailable() ?? (existsSync(EMULATOR) ? undefined : "needs the package qemu-system-x86");
}

/** A private libvirtd whose `qemu:///system` runs guests in emulation. Whoever starts guests destroys them. */
export async function prepareHypervisor(root: string, mounts: readonly NamespaceMount[] = []): Promise<Libvirtd> {
  await mkdir(join(root, "etc"), { recursive: true });
  await writeFile(join(root, "etc/qemu.conf"), QEMU_CONFIGURATION);
  return prepareLibvirtd(root, mounts);
}

export interface GuestDisks {
  readonly name: string;
  /** Elements `<disk>…</disk>`, as they stand. */
  readonly disks: readonly string[];
  /** What else stands in `<devices>`. */
  readonly devices?: string;
}

/** A guest that starts in a moment and does nothing: its firmware finds nothing to boot. */
export function guestXml({ name, disks, devices = "" }: GuestDisks): string {
  return `<domain type='qemu'><name>${name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
    <os><type arch='x86_64' machine='q35'>hvm</type></os>
    <devices><emulator>${EMULATOR}</emulator>${disks.join("")}${devices}</devices></domain>`;
}
