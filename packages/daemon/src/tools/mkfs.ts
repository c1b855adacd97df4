import type { Command } from "../host/host.js";

/** What a format's mkfs wants to be told, so that it makes one over whatever is there: that is asked before. */
const FORCE: ReadonlyMap<string, string> = new Map([
  ["xfs", "-f"],
  ["ext2", "-F"],
  ["ext3", "-F"],
  ["ext4", "-F"],
  ["vfat", "-I"],
]);

/** Makes a file system over all of a device. -t: its type, for which there has to be a program `mkfs.TYPE`. */
export function mkfs(format: string, device: string): Command {
  const force = FORCE.get(format);
  return { program: "mkfs", args: ["-t", format, ...(force === undefined ? [] : [force]), device] };
}
