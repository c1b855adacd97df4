import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Requirements } from "./requirements.ts";

export type LoopType = "ext2" | "ext4" | "xfs" | "btrfs";

/** ext2: the kernel cannot reserve space there. Debian packages e2fsprogs, xfsprogs, btrfs-progs. */
export function loopRequirements(type: LoopType): Requirements {
  return { root: true, programs: [`mkfs.${type}`, "losetup", "mount"], paths: ["/dev/loop-control"] };
}

/** For a loop device with partitions, and whoever makes them. */
export const partitionRequirements: Requirements = {
  root: true,
  programs: ["parted", "losetup"],
  paths: ["/dev/loop-control"],
};

/** A real file system in an image file, mounted through a loop device. */
export interface LoopMount extends Disposable {
  readonly mountPoint: string;
  unmount(): void;
}

/** The smallest that mkfs.xfs takes. */
const defaultBytes = 320 * 1024 * 1024;

/** `options` of mkfs, besides those that every one gets. */
export function mountLoop(type: LoopType, sizeBytes = defaultBytes, options: readonly string[] = []): LoopMount {
  const directory = mkdtempSync(`${tmpdir()}/cistern-loop-`);
  const image = `${directory}/image`;
  const mountPoint = `${directory}/mounted`;
  writeFileSync(image, "");
  truncateSync(image, sizeBytes);
  execFileSync("mkdir", [mountPoint]);
  execFileSync(`mkfs.${type}`, [type.startsWith("ext") ? "-F" : "-f", "-q", ...options, image], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  execFileSync("mount", ["-o", "loop", image, mountPoint]);
  let mounted = true;
  const unmount = () => {
    if (!mounted) return;
    mounted = false;
    execFileSync("umount", [mountPoint]);
    rmSync(directory, { recursive: true });
  };
  return { mountPoint, unmount, [Symbol.dispose]: unmount };
}

export interface LoopOptions {
  /** Whether the kernel makes devices of its partitions. */
  readonly hasPartitions?: boolean;
  readonly sectorBytes?: number;
}

/** A block device of `sizeBytes`, over a file. */
export function attachLoop(sizeBytes: number, options: LoopOptions = {}): { readonly device: string } & Disposable {
  const directory = mkdtempSync(`${tmpdir()}/cistern-loop-`);
  try {
    writeFileSync(`${directory}/image`, "");
    truncateSync(`${directory}/image`, sizeBytes);
    const more = [
      ...(options.hasPartitions === true ? ["--partscan"] : []),
      ...(options.sectorBytes === undefined ? [] : ["--sector-size", `${options.sectorBytes}`]),
    ];
    const attach = ["--find", "--show", ...more, `${directory}/image`];
    const device = execFileSync("losetup", attach, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
    return {
      device,
      [Symbol.dispose]: () => {
        execFileSync("losetup", ["--detach", device]);
        rmSync(directory, { recursive: true });
      },
    };
  } catch (error) {
    rmSync(directory, { recursive: true });
    throw error;
  }
}
