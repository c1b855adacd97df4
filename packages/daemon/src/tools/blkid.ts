import type { Command, File } from "../host/host.js";

/**
 * Looks at what is on a device by its signatures, without blkid's cache. -p: low-level probing of superblocks and partition
 * tables; -o export: a line KEY=VALUE each. Exit status 2: nothing is known on it; 8: several signatures contradict.
 */
export function probeSignatures(device: File, name: string): Command {
  return { program: "blkid", args: ["-p", "-o", "export", { file: device, name }] };
}

export const BLKID_NOTHING = 2;
export const BLKID_AMBIVALENT = 8;

/** As blkid calls them: "ext4", "LVM2_member"; "dos", "gpt". null: there is none. */
export interface Signatures {
  readonly superblock: string | null;
  readonly partitionTable: string | null;
}

/**
 *     DEVNAME=/dev/loop0
 *     UUID=6c1f1e34-…
 *     BLOCK_SIZE=4096
 *     TYPE=ext4
 *     USAGE=filesystem
 */
export function parseSignatures(output: string): Signatures {
  const values = new Map<string, string>();
  for (const line of output.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) values.set(line.slice(0, at), line.slice(at + 1));
  }
  return { superblock: values.get("TYPE") ?? null, partitionTable: values.get("PTTYPE") ?? null };
}

/** The identifier that a partition table bears (dos, gpt), in the same output: "PTUUID=6c1f1e34". null: it has none. */
export function parseTableUuid(output: string): string | null {
  return /^PTUUID=(\S+)$/m.exec(output)?.[1] ?? null;
}
