import type { Command, CommandArgument } from "../host/host.js";
import { MARKER_VARIABLE } from "../host/orphans.js";

/*
 * Command lines of LVM, argument for argument as libvirt 9.0 gives them, so that a failed one reads the same in a client.
 * Names of groups come from documents and stand where LVM would take an option: see `isGroupName`.
 */

const KIBIBYTE = 1024n;

const environment = {
  /** LVM warns of descriptors that it inherited; ours are closed on exec, and a service manager's are no concern of LVM. */
  LVM_SUPPRESS_FD_WARNINGS: "1",
  /** Where no service manager does, LVM starts the monitor of its snapshots itself, which is to outlive the daemon. */
  [MARKER_VARIABLE]: "",
};

function lvm(program: string, ...args: readonly CommandArgument[]): Command {
  return { program, args, environment };
}

/** What LVM takes as the name of a group. Nothing else can be one, and a leading "-" would be an option. */
export function isGroupName(name: string): boolean {
  return /^[A-Za-z0-9_+.][A-Za-z0-9_+.-]*$/.test(name) && name !== "." && name !== "..";
}

/** Lets LVM look for groups on devices that came. */
export function scanForGroups(): Command {
  return lvm("vgscan");
}

export function listPhysicalVolumes(): Command {
  return lvm("pvs", "--noheadings", "-o", "pv_name,vg_name");
}

export interface PhysicalVolume {
  readonly devicePath: string;
  readonly group: string;
}

/**
 * The devices that belong to a group; one of none has an empty second column:
 *
 *       /dev/loop0 vg0
 *       /dev/loop3
 */
export function parsePhysicalVolumes(output: string): PhysicalVolume[] {
  return output.split("\n").flatMap((line) => {
    const [devicePath, group, ...more] = line.trim().split(/\s+/);
    if (devicePath === undefined || group === undefined || more.length > 0) return [];
    return [{ devicePath, group }];
  });
}

/** -aly: of this host alone, where the group is shared. */
export function activateGroup(group: string): Command {
  return lvm("vgchange", "-aly", group);
}

/** Refuses, and changes nothing, while a volume of the group is open. */
export function deactivateGroup(group: string): Command {
  return lvm("vgchange", "-aln", group);
}

export function makePhysicalVolume(devicePath: string): Command {
  return lvm("pvcreate", devicePath);
}

export function removePhysicalVolume(devicePath: string): Command {
  return lvm("pvremove", devicePath);
}

export function makeGroup(group: string, devicePaths: readonly string[]): Command {
  return lvm("vgcreate", group, ...devicePaths);
}

/** The same without doing it: LVM looks at the name first. */
export function tryMakeGroup(group: string, devicePaths: readonly string[]): Command {
  return lvm("vgcreate", TEST, group, ...devicePaths);
}

/** With all of its volumes. Where one is open it stops there, and those before it are gone. */
export function removeGroup(group: string): Command {
  return lvm("vgremove", "-f", group);
}

/** "size:free", in bytes. */
export function groupSpace(group: string): Command {
  const columns = ["--options", "vg_size,vg_free"];
  return lvm(
    "vgs",
    "--separator",
    ":",
    "--noheadings",
    "--units",
    "b",
    "--unbuffered",
    "--nosuffix",
    ...columns,
    group,
  );
}

export interface GroupSpace {
  readonly sizeBytes: bigint;
  readonly freeBytes: bigint;
}

/** `  1245708288:398458880`; null: no line says it. */
export function parseGroupSpace(output: string): GroupSpace | null {
  for (const line of output.split("\n")) {
    const [, size, free] = /^\s*(\d+):(\d+)\s*$/.exec(line) ?? [];
    if (size !== undefined && free !== undefined) return { sizeBytes: BigInt(size), freeBytes: BigInt(free) };
  }
  return null;
}

const COLUMNS = "lv_name,origin,uuid,devices,segtype,stripes,seg_size,vg_extent_size,size,lv_attr";
/** What libvirt does not ask for: the thin pool, how much of it (or of a snapshot's store) is used, whether it is open. */
const FURTHER_COLUMNS = "+pool_lv,data_percent,lv_device_open";

/** The visible volumes of a group, a line for each segment. */
export function listLogicalVolumes(group: string): Command {
  const format = ["--separator", "#", "--noheadings", "--units", "b", "--unbuffered", "--nosuffix"];
  const further = [{ unshown: "--options" }, { unshown: FURTHER_COLUMNS }];
  return lvm("lvs", ...format, "--options", COLUMNS, ...further, group);
}

export interface LogicalVolume {
  readonly name: string;
  /** The name of the volume it is a snapshot of; null: of none, or of a hidden one (sparse volumes have such an origin). */
  readonly origin: string | null;
  readonly uuid: string;
  /** Of what it takes of the group. Of a snapshot that is its store, of a thin volume what a guest sees. */
  readonly sizeBytes: bigint;
  readonly kind: LogicalVolumeKind;
  readonly isActive: boolean;
  /** Somebody has its device open: a guest, a mount, another device on top. */
  readonly isOpen: boolean;
  /** The thin pool it lies in. */
  readonly thinPool: string | null;
  /** Of a thin volume or a snapshot: how much of its size is written, in hundredths of a percent. null: not known. */
  readonly usedHundredths: number | null;
  /** In the order of the volume's content. A device may be a hidden part of a mirror ("mir_mimage_0"). */
  readonly segments: readonly Segment[];
}

/** `pool`: a thin pool, which is no volume itself. `snapshot`: what is written to it lies in a store of its own. */
export type LogicalVolumeKind = "plain" | "snapshot" | "thin" | "pool";

export interface Segment {
  readonly devicePath: string;
  readonly startBytes: bigint;
  readonly endBytes: bigint;
}

/**
 * One line per segment, its columns those of `listLogicalVolumes`:
 *
 *       big##mWsQEZ-vdYj-j2IR-7KUC-hhbn-Er0s-7AskAG#/dev/loop1(0)#linear#1#415236096#4194304#503316480#-wi-a-----###
 *       big##mWsQEZ-vdYj-j2IR-7KUC-hhbn-Er0s-7AskAG#/dev/loop0(16)#linear#1#88080384#4194304#503316480#-wi-a-----###
 *       str##Om0uhb-t2dV-sCpu-rsmi-iHsT-mYnb-rzBydP#/dev/loop0(37),/dev/loop2(0)#striped#2#33554432#4194304#33554432#-wi-a-----###
 *       sparse#[sparse_vorigin]#yI5IMH-69tC-VZ0R-FGfA-UOH3-sHnV-luY9Rk#/dev/loop0(61)#linear#1#4194304#4194304#4194304#swi-a-s---##0.00#
 *       thin1##eBPf9h-CJty-VdxO-KecY-Vc55-oY4i-mSYEwG##thin#0#1073741824#4194304#1073741824#Vwi-a-tz--#tp#0.98#open
 *
 * A device's number is its first extent. Lines that say something else are passed over, as libvirt does.
 */
export function parseLogicalVolumes(output: string): LogicalVolume[] {
  const volumes = new Map<string, LogicalVolume>();
  for (const line of output.split("\n")) {
    const row = parseRow(line.trim());
    if (row === null) continue;
    const known = volumes.get(row.name);
    if (known === undefined) volumes.set(row.name, row);
    else volumes.set(row.name, { ...known, segments: [...known.segments, ...row.segments] });
  }
  return [...volumes.values()];
}

const COLUMNS_BEFORE_DEVICES = 3;
const COLUMNS_AFTER_DEVICES = 9;

function parseRow(line: string): LogicalVolume | null {
  const columns = line.split("#");
  if (columns.length < COLUMNS_BEFORE_DEVICES + 1 + COLUMNS_AFTER_DEVICES) return null;
  const [name, origin, uuid] = columns;
  // A device's path may have the separator in it, the other columns never.
  const devices = columns.slice(COLUMNS_BEFORE_DEVICES, -COLUMNS_AFTER_DEVICES).join("#");
  const [, , segmentSize, extentSize, size, attributes, thinPool, used, open] = columns.slice(-COLUMNS_AFTER_DEVICES);
  const numbers = [segmentSize, extentSize, size];
  if (!name || !uuid || attributes === undefined || !numbers.every((text) => /^\d+$/.test(text ?? ""))) return null;
  const segmentBytes = BigInt(segmentSize ?? 0);
  const extentBytes = BigInt(extentSize ?? 0);
  const kind = kindOf(attributes);
  return {
    name,
    origin: origin === undefined || origin === "" || origin.startsWith("[") ? null : origin,
    uuid,
    sizeBytes: BigInt(size ?? 0),
    kind,
    isActive: attributes[4] === "a",
    // Where LVM cannot tell ("unknown") there is no device to be open.
    isOpen: open === "open" && kind !== "pool",
    thinPool: thinPool === undefined || thinPool === "" ? null : thinPool,
    usedHundredths: /^\d+\.\d\d$/.test(used ?? "") ? Number(used?.replace(".", "")) : null,
    segments: segmentsOf(devices, segmentBytes, extentBytes),
  };
}

/** The first of the ten letters is the volume's type, in capitals where its content is not initialised or it is thin. */
function kindOf(attributes: string): LogicalVolumeKind {
  switch (attributes[0]) {
    case "t":
      return "pool";
    case "V":
      return "thin";
    case "s":
    case "S":
      return "snapshot";
    default:
      return "plain";
  }
}

/** `/dev/loop0(37),/dev/loop2(0)` */
function segmentsOf(devices: string, segmentBytes: bigint, extentBytes: bigint): Segment[] {
  return [...devices.matchAll(/(.+?)\((\d+)\)(?:,|$)/g)].map(([, devicePath = "", extent = "0"]) => {
    const startBytes = BigInt(extent) * extentBytes;
    return { devicePath, startBytes, endBytes: startBytes + segmentBytes };
  });
}

export interface NewLogicalVolume {
  readonly name: string;
  readonly group: string;
  /** What a guest sees. A snapshot shows as much as its origin, whatever is said. */
  readonly capacityBytes: bigint;
  /** What it takes of the group; less than the capacity: it can be written until so much of it is. */
  readonly allocationBytes: bigint;
  /** A volume of the group, of which it is a snapshot. */
  readonly originPath: string | null;
}

/** LVM rounds up to whole extents. --yes: signatures of what was there before are wiped. */
export function createLogicalVolume(volume: NewLogicalVolume): Command {
  return lvm("lvcreate", ...creation(volume));
}

/** The same without doing it: whether LVM would, as far as it can tell. */
export function tryCreateLogicalVolume(volume: NewLogicalVolume): Command {
  return lvm("lvcreate", TEST, ...creation(volume));
}

const TEST = { unshown: "--test" } as const;

/** What a program says because it was only a test; everything else it says as it would say it. */
export function withoutTestNotes(output: string): string {
  return output
    .split("\n")
    .filter((line) => !line.trim().startsWith("TEST MODE:"))
    .join("\n");
}

function creation({ name, group, capacityBytes, allocationBytes, originPath }: NewLogicalVolume): string[] {
  const isSparse = capacityBytes !== allocationBytes;
  const args = ["--name", name, "-L", kibibytes(isSparse ? allocationBytes : capacityBytes)];
  // libvirt asks for a virtual size beside an origin as well, which LVM refuses: a snapshot is as large as its origin.
  if (originPath !== null) args.push("-s", originPath);
  else if (isSparse) args.push("--type", "snapshot", "--virtualsize", kibibytes(capacityBytes), group);
  else args.push(group);
  return [...args, "--yes"];
}

/** At least one, which becomes an extent. */
function kibibytes(bytes: bigint): string {
  return `${bytes === 0n ? 1n : (bytes + KIBIBYTE - 1n) / KIBIBYTE}K`;
}

/** Fails where the new name is taken. */
export function renameLogicalVolume(group: string, name: string, newName: string): Command {
  return lvm("lvrename", group, name, newName);
}

/** -f: without asking, and with its snapshots. */
export function removeLogicalVolume(path: string): Command {
  return lvm("lvremove", "-f", path);
}

export function deactivateLogicalVolume(path: string): Command {
  return lvm("lvchange", "-aln", path);
}
