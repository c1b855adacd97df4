import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Libvirtd, libvirtdUnavailable, prepareLibvirtd } from "./libvirtd.js";
import type { NamespaceMount } from "./mount-namespace.js";

const EMULATOR = "/usr/bin/qemu-system-x86_64";

const NEEDED_FILES: readonly (readonly [path: string, packageName: string])[] = [
  [EMULATOR, "qemu-system-x86"],
  ["/usr/bin/swtpm", "swtpm"],
  ["/usr/bin/swtpm_setup", "swtpm-tools"],
  ["/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf"],
];

/** Guests run as root, without what a machine in a container may not have: control groups, security labels, namespaces. */
const QEMU_CONFIGURATION = `user = "root"
group = "root"
swtpm_user = "root"
swtpm_group = "root"
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
remember_owner = 0
stdio_handler = "file"
`;

/** Why real guests cannot be run here, or undefined when they can. */
export function hypervisorUnavailable(): string | undefined {
  const missing = NEEDED_FILES.filter(([path]) => !existsSync(path)).map(([, packageName]) => packageName);
  return libvirtdUnavailable() ?? (missing.length > 0 ? `needs the packages ${missing.join(", ")}` : undefined);
}

/** A private libvirtd whose `qemu:///system` runs guests in emulation. Whoever starts guests destroys them. */
export async function prepareHypervisor(root: string, mounts: readonly NamespaceMount[] = []): Promise<Libvirtd> {
  await mkdir(join(root, "etc"), { recursive: true });
  await writeFile(join(root, "etc/qemu.conf"), QEMU_CONFIGURATION);
  // Who makes a TPM signs for it.
  const authority = { kind: "bind", from: join(root, "tpm-authority"), onto: "/var/lib/swtpm-localca" } as const;
  await mkdir(authority.from);
  return prepareLibvirtd(root, [authority, ...mounts]);
}

export interface GuestDisks {
  readonly name: string;
  /** Elements `<disk>…</disk>`, as they stand. */
  readonly disks: readonly string[];
  /** What else stands in `<devices>`. */
  readonly devices?: string;
  /** UEFI as libvirt chooses it, with variables. */
  readonly hasFirmware?: boolean;
}

/** A guest that starts in a moment and does nothing: its firmware finds nothing to boot. */
export function guestXml({ name, disks, devices = "", hasFirmware = false }: GuestDisks): string {
  return `<domain type='qemu'><name>${name}</name><memory unit='MiB'>${hasFirmware ? 64 : 32}</memory><vcpu>1</vcpu>
    <os${hasFirmware ? " firmware='efi'" : ""}><type arch='x86_64' machine='q35'>hvm</type></os>
    ${hasFirmware ? "<features><acpi/></features>" : ""}
    <devices><emulator>${EMULATOR}</emulator>${disks.join("")}${devices}</devices></domain>`;
}
