import { posix } from "node:path";
import type { PoolType } from "@cistern/documents";
import type { Host } from "../host/host.js";
import { limits } from "../limits.js";
import { BLKID_NOTHING, parseSignatures, probeSignatures } from "../tools/blkid.js";
import { wholeDiskOf } from "./partitions.js";

/** The storage that a pool has to be made of in order to have a file or device. */
export interface Cover {
  readonly type: Extract<PoolType, "dir" | "logical" | "disk">;
  /** The directory, the volume group's name, the disk's path. */
  readonly storage: string;
  readonly target: string;
  /** The pool's source format; null: the type has none. */
  readonly format: string | null;
  /** What the pool would best be called. */
  readonly wish: string;
}

export interface Uncovered {
  readonly reason: string;
}

/** Devices that are made anew at each boot, or that are parts of something else. */
const PASSING = /^\/dev\/(?:loop|nbd|ram|zram|fd|sr)\d+/;

/** Partition tables by blkid's names that a pool of a disk can have. */
const TABLES: ReadonlySet<string> = new Set(["dos", "gpt", "mac", "sun", "dvh", "bsd"]);

export async function coverOf(place: string, hostAt: (path: string) => Promise<Host>): Promise<Cover | Uncovered> {
  if (!place.startsWith("/")) return { reason: "it is not on this host" };
  if (!place.startsWith("/dev/")) return directoryOf(place);
  if (PASSING.test(place)) return { reason: "the device is made anew at each boot" };
  const host = await hostAt(place);
  const group = await volumeGroupOf(place, host);
  if (group !== null) {
    return { type: "logical", storage: group, target: `/dev/${group}`, format: "lvm2", wish: group };
  }
  const disk = wholeDiskOf(place);
  if (disk === null) return { reason: "no type of pool has whole disks of the host one by one" };
  const table = await tableOf(disk, host).catch(() => null);
  if (table === null) return { reason: `the partition table of '${disk}' cannot be read` };
  if (!TABLES.has(table)) return { reason: `no pool can have a disk with a partition table of format '${table}'` };
  const target = disk.startsWith("/dev/disk/") ? posix.dirname(disk) : "/dev";
  return { type: "disk", storage: disk, target, format: table, wish: posix.basename(disk) };
}

function directoryOf(file: string): Cover {
  const directory = posix.dirname(file);
  return {
    type: "dir",
    storage: directory,
    target: directory,
    format: null,
    wish: posix.basename(directory) || "root",
  };
}

/** LVM makes a directory for each of its groups. `/dev/mapper/vg-lv`: a "-" inside a name is doubled there. */
async function volumeGroupOf(place: string, host: Host): Promise<string | null> {
  const mapped = /^\/dev\/mapper\/((?:[^-]|--)+)-((?:[^-]|--)+)$/.exec(place);
  const [, group, volume] =
    mapped === null
      ? (/^\/dev\/([^/]+)\/([^/]+)$/.exec(place) ?? [])
      : mapped.map((part) => part.replaceAll("--", "-"));
  if (group === undefined || volume === undefined || NOT_GROUPS.has(group)) return null;
  const facts = await host.facts(`/dev/${group}/${volume}`, { timeoutMs: limits.adoptionLookMs }).catch(() => null);
  return facts?.kind === "block" ? group : null;
}

const NOT_GROUPS: ReadonlySet<string> = new Set(["mapper", "disk", "block", "zvol", "md", "bus", "input", "shm"]);

async function tableOf(disk: string, host: Host): Promise<string | null> {
  await using device = await host.openFile(disk, "read", { timeoutMs: limits.adoptionLookMs });
  const result = await host.run(probeSignatures(device, posix.basename(disk)), { timeoutMs: limits.adoptionLookMs });
  if (result.exitStatus !== 0 && result.exitStatus !== BLKID_NOTHING) return null;
  return parseSignatures(result.stdout).partitionTable;
}
