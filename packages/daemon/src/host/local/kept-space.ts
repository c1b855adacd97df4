import { readFile, readlink } from "node:fs/promises";
import { posix } from "node:path";

/**
 * What ext4 keeps for its own emergencies, from /sys/fs/ext4/DEVICE/reserved_clusters ("4096\n"); 0 on any other file system,
 * and where there is no sysfs. `device` is a st_dev.
 */
export async function keptClusters(device: bigint): Promise<bigint> {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xffff_f000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffff_ff00n);
  try {
    const name = posix.basename(await readlink(`/sys/dev/block/${major}:${minor}`));
    return BigInt((await readFile(`/sys/fs/ext4/${name}/reserved_clusters`, "latin1")).trim());
  } catch {
    return 0n;
  }
}
