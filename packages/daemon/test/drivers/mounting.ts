import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { attachLoop } from "../../../../tests/support/loop.ts";
import type { Laboratory } from "./laboratory.js";

/** The smallest that mkfs.xfs takes. */
const DEVICE_BYTES = 320 * 1024 * 1024;

/** A loop device of the laboratory's own; gone, with what was mounted from it, when that closes. */
export function loopDevice(laboratory: Laboratory, sizeBytes = DEVICE_BYTES): string {
  const loop = laboratory.keep(attachLoop(sizeBytes));
  laboratory.keep({ [Symbol.dispose]: () => unmountAllOf(loop.device) });
  return loop.device;
}

export function makeFileSystem(type: string, device: string): void {
  execFileSync(`mkfs.${type}`, [type.startsWith("ext") ? "-F" : "-f", "-q", device], { stdio: "ignore" });
}

/** Lines of the kernel's table, "mount point type source", that name it. */
export function mountsOf(sourceOrTarget: string): string[] {
  const lines = readFileSync("/proc/self/mounts", "utf8").split("\n");
  return lines.flatMap((line) => {
    const [source = "", target = "", type = ""] = line.split(" ");
    return source === sourceOrTarget || target === sourceOrTarget ? [`${target} ${type} ${source}`] : [];
  });
}

export function optionsAt(target: string): string[] {
  const line = readFileSync("/proc/self/mounts", "utf8").split("\n");
  return (line.find((each) => each.split(" ")[1] === target)?.split(" ")[3] ?? "").split(",");
}

function unmountAllOf(device: string): void {
  for (const line of mountsOf(device).reverse()) execFileSync("umount", [line.split(" ")[0] ?? ""]);
}

export function unmountTarget(target: string): void {
  for (const _ of mountsOf(target)) execFileSync("umount", [target]);
}
