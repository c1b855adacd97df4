import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Requirements } from "./requirements.ts";

export type LoopType = "ext4" | "xfs" | "btrfs";

/** Debian packages e2fsprogs, xfsprogs, btrfs-progs. */
export function loopRequirements(type: LoopType): Requirements {
  return { root: true, programs: [`mkfs.${type}`, "losetup", "mount"], paths: ["/dev/loop-control"] };
}

/** A real file system in an image file, mounted through a loop device. */
export interface LoopMount extends Disposable {
  readonly mountPoint: string;
  unmount(): void;
}

/** The smallest that mkfs.xfs takes. */
const defaultBytes = 320 * 1024 * 1024;

export function mountLoop(type: LoopType, sizeBytes = defaultBytes): LoopMount {
  const directory = mkdtempSync(`${tmpdir()}/cistern-loop-`);
  const image = `${directory}/image`;
  const mountPoint = `${directory}/mounted`;
  writeFileSync(image, "");
  truncateSync(image, sizeBytes);
  execFileSync("mkdir", [mountPoint]);
  execFileSync(`mkfs.${type}`, [type === "ext4" ? "-F" : "-f", "-q", image], { stdio: ["ignore", "ignore", "pipe"] });
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

/** A block device of `sizeBytes`, over a file. */
export function attachLoop(sizeBytes: number): { readonly device: string } & Disposable {
  const directory = mkdtempSync(`${tmpdir()}/cistern-loop-`);
  writeFileSync(`${directory}/image`, "");
  truncateSync(`${directory}/image`, sizeBytes);
  const device = execFileSync("losetup", ["--find", "--show", `${directory}/image`], { encoding: "utf8" }).trim();
  return {
    device,
    [Symbol.dispose]: () => {
      execFileSync("losetup", ["--detach", device]);
      rmSync(directory, { recursive: true });
    },
  };
}
