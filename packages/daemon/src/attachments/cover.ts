import { posix } from "node:path";
import type { PoolType } from "@cistern/documents";
import { type FileFacts, type Host, HostError } from "../host/index.js";
import { limits } from "../limits.js";
import { BLKID_NOTHING, parseSignatures, probeSignatures } from "../tools/blkid.js";
import { logicalVolumeOf, natureOf } from "./identity/devices.js";
import { lastingNameOf } from "./lasting-name.js";

/** The storage that a pool has to be made of in order to have a file or device. */
export interface Cover {
  readonly type: Extract<PoolType, "dir" | "logical" | "disk">;
  /** The same for all that one pool would have, by whatever name it is used. */
  readonly key: string;
  /** The directory, the volume group's name, the disk's path. */
  readonly storage: string;
  readonly target: string;
  /** The pool's source format; null: the type has none. */
  readonly format: string | null;
  /** What the pool would best be called. */
  readonly wish: string;
  /** Why it is not there now: only a pool that is defined already can bring it; null: it is. */
  readonly gone: string | null;
}

export interface Uncovered {
  readonly reason: string;
}

/** Devices that are made anew at each boot, and drives that have one medium after the other. */
const PASSING = /^\/dev\/(?:loop|nbd|ram|zram)\d+/;
const DRIVES = /^\/dev\/(?:fd|sr)\d+$/;
const ZVOLS = /^\/dev\/zd\d+/;

/** Partition tables by blkid's names that a pool of a disk can have. */
const TABLES: ReadonlySet<string> = new Set(["dos", "gpt", "mac", "sun", "dvh", "bsd"]);

const NO_DEVICE = "there is no such device now";
const NO_FILE = "there is no such file now";
/** ENOENT, ENOTDIR. */
const MISSING = new Set(["ENOENT", "ENOTDIR"]);

const LOOK = { timeoutMs: limits.adoptionLookMs };

export async function coverOf(place: string, hostAt: (path: string) => Promise<Host>): Promise<Cover | Uncovered> {
  if (!place.startsWith("/")) return { reason: reasonOf(place) };
  if (!place.startsWith("/dev/")) return directoryOf(place, hostAt);
  const host = await hostAt(place);
  const facts = await host.facts(place, LOOK).catch(() => null);
  if (facts === null) return goneVolume(place) ?? { reason: passing(place) ?? NO_DEVICE };
  if (facts.kind !== "block") return { reason: "it is no block device" };
  return deviceCover(place, facts, host);
}

async function deviceCover(place: string, { deviceNumber }: FileFacts, host: Host): Promise<Cover | Uncovered> {
  const { node, disk, logical } = await natureOf(deviceNumber, host);
  if (logical !== null) return groupOf(logical.group);
  const reason = passing(node ?? place);
  if (reason !== null) return { reason };
  if (disk === null) {
    const isMapped = node?.startsWith("/dev/dm-") === true;
    return { reason: isMapped ? MAPPED : WHOLE };
  }
  const name = await lastingNameOf(disk, host);
  const table = await tableOf(name, host).catch(() => null);
  if (table === null) return { reason: `the partition table of '${name}' cannot be read` };
  if (!TABLES.has(table)) return { reason: `no pool can have a disk with a partition table of format '${table}'` };
  const target = name.startsWith("/dev/disk/") ? posix.dirname(name) : "/dev";
  return {
    type: "disk",
    key: `disk ${disk}`,
    storage: name,
    target,
    format: table,
    wish: posix.basename(name),
    gone: null,
  };
}

const WHOLE =
  "it is a whole disk, which only pools of type scsi, iscsi and mpath have, and with it all others of its host";
const MAPPED = "it is a device of device-mapper, but no logical volume";

function passing(node: string): string | null {
  if (PASSING.test(node)) return "the device is made anew at each boot";
  if (DRIVES.test(node)) return "it is a drive, in which there may be another medium at any time";
  return ZVOLS.test(node) ? "a pool of type zfs would have it, which has to be defined by hand" : null;
}

/** By how places begin that are no paths. */
const NO_PATHS: readonly (readonly [prefix: string, reason: string])[] = [
  ["nvme:", "the guest has the device to itself"],
  ["scsi:", "no type of pool has devices of the host one by one"],
  ["vhost-user:", "it is a socket, behind which is what another process serves"],
];

function reasonOf(place: string): string {
  return NO_PATHS.find(([prefix]) => place.startsWith(prefix))?.[1] ?? "it is not on this host";
}

/** What does not answer is taken for a file. */
async function directoryOf(file: string, hostAt: (path: string) => Promise<Host>): Promise<Cover | Uncovered> {
  const host = await hostAt(file);
  const facts = await host.facts(file, LOOK).catch((error: unknown) => (isMissing(error) ? "missing" : null));
  if (facts !== "missing" && facts?.kind === "directory")
    return { reason: "it is a directory, which no pool has as a disk" };
  const directory = posix.dirname(file);
  if (directory === "/") return { reason: "a pool of the root directory would be one of the whole host" };
  return {
    type: "dir",
    key: `dir ${directory}`,
    storage: directory,
    target: directory,
    format: null,
    wish: posix.basename(directory),
    gone: facts === "missing" ? NO_FILE : null,
  };
}

function isMissing(error: unknown): boolean {
  return error instanceof HostError && MISSING.has(error.code);
}

function groupOf(group: string): Cover {
  return {
    type: "logical",
    key: `logical ${group}`,
    storage: group,
    target: `/dev/${group}`,
    format: "lvm2",
    wish: group,
    gone: null,
  };
}

/** A stopped pool's logical volumes are not there: by its name one is known all the same. */
function goneVolume(place: string): Cover | null {
  const mapped = /^\/dev\/(?:mapper\/|disk\/by-id\/dm-name-)([^/]+)$/.exec(place)?.[1];
  const group = mapped === undefined ? /^\/dev\/([^/]+)\/[^/]+$/.exec(place)?.[1] : logicalVolumeOf(mapped)?.group;
  return group === undefined ? null : { ...groupOf(group), gone: NO_DEVICE };
}

async function tableOf(disk: string, host: Host): Promise<string | null> {
  await using device = await host.openFile(disk, "read", LOOK);
  const result = await host.run(probeSignatures(device, posix.basename(disk)), LOOK);
  if (result.exitStatus !== 0 && result.exitStatus !== BLKID_NOTHING) return null;
  return parseSignatures(result.stdout).partitionTable;
}
