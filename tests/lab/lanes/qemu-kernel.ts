// The kernel of the QEMU lane: Debian's, with a first root in memory that is made from it.

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

const BUSYBOX = "/bin/busybox";
const TIMEOUT_MS = 30_000;
/** How the guest reaches its root and its output; everything else is loaded from there. */
const MODULES = ["virtio_pci", "virtiofs", "virtio_console", "overlay"];

/**
 * The newest installed kernel of Debian's package linux-image-amd64, or undefined when there is none. The smaller "cloud"
 * kernel is not looked at: it lacks Fibre Channel.
 */
export function installedKernel(): string | undefined {
  if (!existsSync("/boot")) return undefined;
  return readdirSync("/boot")
    .flatMap((name) => /^vmlinuz-(\d.*-amd64)$/.exec(name)?.[1] ?? [])
    .filter((version) => !version.includes("cloud") && existsSync(join("/lib/modules", version)))
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .at(-1);
}

export function imageOf(version: string): string {
  return join("/boot", `vmlinuz-${version}`);
}

/** Writes the first root (an archive of cpio): busybox, the modules in the order of loading, and `init`. */
export function writeInitialRoot(version: string, init: string, to: string): void {
  const root = mkdtempSync(join(tmpdir(), "cistern-lab-root-"));
  try {
    for (const name of ["bin", "modules", "proc", "sys", "dev", "run", "host"]) mkdirSync(join(root, name));
    copyFileSync(BUSYBOX, join(root, "bin/busybox"));
    const files = [...new Set(MODULES.flatMap((module) => filesOf(module, version)))];
    for (const file of files) copyFileSync(file, join(root, "modules", basename(file)));
    writeFileSync(join(root, "order"), `${files.map((file) => basename(file)).join("\n")}\n`);
    copyFileSync(init, join(root, "init"));
    chmodSync(join(root, "init"), 0o755);
    execFileSync("sh", ["-c", 'find . | cpio --create --format=newc --quiet > "$1"', "sh", to], {
      cwd: root,
      timeout: TIMEOUT_MS,
    });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** A module's file and before it those it needs; none where it is part of the kernel. */
function filesOf(module: string, version: string): readonly string[] {
  // insmod /lib/modules/6.1.0-40-amd64/kernel/drivers/virtio/virtio_pci.ko
  // builtin virtio
  const output = execFileSync("modprobe", ["--set-version", version, "--show-depends", module], {
    encoding: "utf8",
    timeout: TIMEOUT_MS,
  });
  return output.split("\n").flatMap((line) => /^insmod (\S+)/.exec(line)?.[1] ?? []);
}
