import type { Host } from "../host/host.js";
import { limits } from "../limits.js";

/** Where udev names disks by what they are, and by how they are reached. */
const DIRECTORIES = ["/dev/disk/by-id", "/dev/disk/by-path"] as const;

const LOOK = { timeoutMs: limits.adoptionLookMs };

/**
 * A name by which a disk is found again at the next boot, when the kernel may have given its node to another one: the first of
 * udev's links; the node where there is none. The same by whatever name the disk was asked for.
 */
export async function lastingNameOf(node: string, host: Host): Promise<string> {
  for (const directory of DIRECTORIES) {
    for (const name of await namesIn(directory, host)) {
      const path = `${directory}/${name}`;
      if ((await host.realPath(path, LOOK).catch(() => null)) === node) return path;
    }
  }
  return node;
}

async function namesIn(path: string, host: Host): Promise<string[]> {
  try {
    await using directory = await host.openDirectory(path, LOOK);
    return (await directory.names(LOOK)).sort();
  } catch {
    return [];
  }
}
