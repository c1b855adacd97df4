import type { Command } from "../host/host.js";

/*
 * Command lines and output of zpool and zfs (OpenZFS 0.8 and newer). Where libvirt 9.0 has the same step, the arguments are
 * its own, so that a failed one reads the same in a client.
 *
 *   zpool get -Hp health,size,free,allocated POOL       -H: no heading, tabs between columns; -p: bytes, not "1.5G"
 *   zfs list -Hp -t volume -d 1 -o name,volsize,refreservation DATASET    (libvirt: -r, see `listVolumes`)
 *   zfs create [-s [-o refreservation=NK]] -V NK DATASET/VOLUME            (libvirt on FreeBSD: with -o volmode=dev)
 *   zfs rename DATASET/TEMPORARY DATASET/VOLUME
 *   zfs set volsize=N [refreservation=auto] DATASET/VOLUME
 *   zfs destroy [-r] DATASET/VOLUME
 *   zpool create POOL DEVICE…        zfs create -o mountpoint=none POOL/DATASET
 *   zpool destroy POOL               zfs destroy -r POOL/DATASET
 */

const KIBIBYTE = 1024n;

/** What ZFS takes in names, '/' between the components; nothing in it can be read as an option, a snapshot or a list. */
const DATASET = /^[A-Za-z][\w.: -]*(?:\/[\w.: -]+)*$/;

/** Whether it can name a pool or a dataset: anything else never gets on a command line. */
export function isDatasetName(name: string): boolean {
  return DATASET.test(name) && !name.split("/").some((component) => component === "." || component === "..");
}

/** The pool that a dataset lies in. */
export function zpoolOf(dataset: string): string {
  return dataset.split("/", 1)[0] ?? dataset;
}

export function zpoolProperties(zpool: string): Command {
  return { program: "zpool", args: ["get", "-Hp", "health,size,free,allocated", zpool] };
}

export interface ZpoolFacts {
  /** ONLINE, DEGRADED, FAULTED, OFFLINE, REMOVED, UNAVAIL, SUSPENDED. */
  readonly health: string | null;
  readonly sizeBytes: bigint;
  readonly freeBytes: bigint;
  readonly allocatedBytes: bigint;
}

/**
 * Reads what `zpoolProperties` prints: name, property, value and where the value comes from. Of a pool that cannot be opened
 * the numbers are "-"; what cannot be read counts as 0, other lines are passed over, as with libvirt.
 *
 *     tank	health	ONLINE	-
 *     tank	size	503316480	-
 *     tank	free	503197696	-
 *     tank	allocated	118784	-
 */
export function parseZpoolProperties(output: string): ZpoolFacts {
  const values = new Map<string, string>();
  for (const line of output.split("\n")) {
    const [, property, value, source, ...more] = line.split("\t");
    if (property === undefined || value === undefined || source === undefined || more.length > 0) continue;
    values.set(property, value);
  }
  const bytes = (property: string): bigint => bytesOf(values.get(property)) ?? 0n;
  return {
    health: values.get("health") ?? null,
    sizeBytes: bytes("size"),
    freeBytes: bytes("free"),
    allocatedBytes: bytes("allocated"),
  };
}

const VOLUME_COLUMNS = ["-Hp", "-t", "volume", "-o", "name,volsize,refreservation"] as const;

/**
 * The volumes right below a dataset. libvirt goes down to the last dataset (-r) and shows what it finds there under its last
 * component, with a path that does not exist: a dataset further down is a pool of its own.
 */
export function listVolumes(dataset: string): Command {
  const [flags, ...columns] = VOLUME_COLUMNS;
  return { program: "zfs", args: ["list", flags, "-d", "1", ...columns, dataset] };
}

export function listVolume(volume: string): Command {
  return { program: "zfs", args: ["list", ...VOLUME_COLUMNS, volume] };
}

/** Whether there is a dataset of any kind under this name: it fails when there is none. */
export function datasetExists(fullName: string): Command {
  return { program: "zfs", args: ["list", "-Hp", "-o", "name", fullName] };
}

export interface ZvolFacts {
  /** With all its datasets: "tank/images/v1". */
  readonly fullName: string;
  readonly capacityBytes: bigint;
  /** What the pool keeps free for it; 0 of a sparse one. More than the capacity otherwise: it counts metadata. */
  readonly reservedBytes: bigint;
}

/**
 * Reads what `listVolumes` prints. Lines that are no volumes (other columns, no numbers) are passed over, as with libvirt.
 *
 *     tank/sparse	1073741824	0
 *     tank/thick	67108864	71319552
 */
export function parseVolumes(output: string): ZvolFacts[] {
  const volumes: ZvolFacts[] = [];
  for (const line of output.split("\n")) {
    const [fullName, size, reservation, ...more] = line.split("\t");
    const capacityBytes = bytesOf(size);
    const reservedBytes = bytesOf(reservation);
    if (fullName === undefined || fullName === "" || more.length > 0) continue;
    if (capacityBytes === null || reservedBytes === null) continue;
    volumes.push({ fullName, capacityBytes, reservedBytes });
  }
  return volumes;
}

export interface ZvolCreation {
  readonly fullName: string;
  readonly capacityBytes: bigint;
  /** Equal to the capacity: all of it is reserved; less: sparse, with so much reserved. */
  readonly allocationBytes: bigint;
}

/** Whether the kernel looks for partitions in it (volmode) is inherited from the dataset, as the administrator has it there. */
export function createVolume({ fullName, capacityBytes, allocationBytes }: ZvolCreation): Command {
  const args = ["create"];
  if (allocationBytes !== capacityBytes) {
    args.push("-s");
    if (allocationBytes > 0n) args.push("-o", `refreservation=${kibibytes(allocationBytes)}`);
  }
  return { program: "zfs", args: [...args, "-V", kibibytes(capacityBytes), fullName] };
}

/** Never replaces anything: a name that is taken is an error. */
export function renameVolume(from: string, to: string): Command {
  return { program: "zfs", args: ["rename", from, to] };
}

/** The size of a volume's blocks, of which its size is a multiple. Prints one number. */
export function volumeBlockSize(fullName: string): Command {
  return { program: "zfs", args: ["get", "-Hp", "-o", "value", "volblocksize", fullName] };
}

export function parseBytes(output: string): bigint | null {
  return bytesOf(output.trim());
}

/** `reserved`: all of it is reserved then; else a volume that was stays so, and a sparse one stays sparse. */
export function resizeVolume(fullName: string, capacityBytes: bigint, reserved: boolean): Command {
  const properties = [`volsize=${capacityBytes}`, ...(reserved ? ["refreservation=auto"] : [])];
  return { program: "zfs", args: ["set", ...properties, fullName] };
}

export function destroyVolume(fullName: string, withSnapshots: boolean): Command {
  return { program: "zfs", args: ["destroy", ...(withSnapshots ? ["-r"] : []), fullName] };
}

/** `devices` may hold zpool's own words ("mirror"). */
export function createZpool(zpool: string, devices: readonly string[]): Command {
  return { program: "zpool", args: ["create", zpool, ...devices] };
}

export function createDataset(dataset: string): Command {
  return { program: "zfs", args: ["create", "-o", "mountpoint=none", dataset] };
}

export function destroyZpool(zpool: string): Command {
  return { program: "zpool", args: ["destroy", zpool] };
}

export function destroyDataset(dataset: string): Command {
  return { program: "zfs", args: ["destroy", "-r", dataset] };
}

/** "cannot open 'tank/v1': dataset does not exist", "cannot open 'tank': no such pool". */
export function saysMissing(stderr: string): boolean {
  return /: (?:dataset does not exist|no such pool)\b/.test(stderr);
}

/** "cannot destroy 'tank/v1': dataset is busy": somebody has its device open, be it only udev that looks at it. */
export function saysBusy(stderr: string): boolean {
  return /: (?:dataset|pool) is busy\b/.test(stderr);
}

function bytesOf(text: string | undefined): bigint | null {
  return text !== undefined && /^\d{1,20}$/.test(text) ? BigInt(text) : null;
}

function kibibytes(bytes: bigint): string {
  return `${(bytes + KIBIBYTE - 1n) / KIBIBYTE}K`;
}
