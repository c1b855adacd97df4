import type { Command } from "../host/host.js";

/*
 * Command lines of parted, for a device by its path.
 *
 *   --script --align cylinder --json DEV unit B print free
 *   DEV mklabel --script LABEL
 *   DEV mkpart --script [KIND] [FILESYSTEM] STARTB ENDB
 *   DEV rm --script NUMBER
 *
 * The writing ones are argument for argument libvirt's, so that a failed one reads the same in a client. --script: never ask.
 */

const PARTED = "parted";

/** parted's names of the partition tables that libvirt knows by another name, or by none. */
const LABELS: Readonly<Record<string, string>> = { dos: "msdos", unknown: "msdos" };

/** parted's name of a pool's source format. */
export function partedLabel(format: string): string {
  return LABELS[format] ?? format;
}

/**
 * Prints the partition table with what is free. `unit B`: bytes, the end inclusive. --align cylinder: an incomplete cylinder
 * at the end of the disk is not free where the table is of DOS, as libvirt sees it. --json: since parted 3.5.
 */
export function printTable(device: string): Command {
  return {
    program: PARTED,
    args: ["--script", "--align", "cylinder", "--json", device, "unit", "B", "print", "free"],
  };
}

/** Writes an empty partition table. `format`: the pool's source format. */
export function makeLabel(device: string, format: string): Command {
  return { program: PARTED, args: [device, "mklabel", "--script", partedLabel(format)] };
}

export interface NewPartition {
  /** As `printTable` says it. */
  readonly label: string;
  readonly kind: PartitionKind;
  /** What it is marked to hold, in parted's words ("ext2", "linux-swap"); null: nothing. */
  readonly fileSystem: string | null;
  readonly startBytes: bigint;
  /** The last byte. */
  readonly endBytes: bigint;
}

export type PartitionKind = "primary" | "logical" | "extended";

/** Tables in which partitions have neither a kind nor a name: parted wants no word before the numbers. */
const WORDLESS_LABELS: ReadonlySet<string> = new Set(["bsd", "sun"]);

/** In tables that know no kinds, but names (gpt, mac, pc98), parted takes "primary" for the name: libvirt's are called so. */
export function makePartition(device: string, partition: NewPartition): Command {
  const { label, kind, fileSystem, startBytes, endBytes } = partition;
  const words = [...(WORDLESS_LABELS.has(label) ? [] : [kind]), ...(fileSystem === null ? [] : [fileSystem])].join(" ");
  const args = [device, "mkpart", "--script", ...(words === "" ? [] : [words]), `${startBytes}B`, `${endBytes}B`];
  return { program: PARTED, args };
}

export function removePartition(device: string, number: number): Command {
  return { program: PARTED, args: [device, "rm", "--script", `${number}`] };
}

export interface PartitionTable {
  /** parted's name: "msdos", "gpt" …; "loop": a file system on the whole device; "unknown": none. */
  readonly label: string;
  readonly sizeBytes: bigint;
  readonly sectorBytes: number;
  /** In the order of the disk, what lies in an extended partition after it. */
  readonly areas: readonly DiskArea[];
}

export type DiskArea = PartitionArea | FreeArea;

export interface PartitionArea extends ByteRange {
  readonly content: "partition";
  readonly kind: PartitionKind;
  readonly number: number;
}

export interface FreeArea extends ByteRange {
  readonly content: "free";
  /** "logical": inside an extended partition. */
  readonly kind: "primary" | "logical";
}

export interface ByteRange {
  readonly startBytes: bigint;
  /** The byte after the last. */
  readonly endBytes: bigint;
}

/**
 * Reads what `printTable` wrote; null: that is no table in parted's JSON.
 *
 *     {
 *        "disk": {
 *           "path": "/dev/loop0",
 *           "size": "67108864B",
 *           "logical-sector-size": 512,
 *           "label": "msdos",
 *           "partitions": [
 *              { "number": 0, "start": "1024B", "end": "1048575B", "size": "1047552B", "type": "free" },
 *              { "number": 2, "start": "12582912B", "end": "41943039B", "size": "29360128B", "type": "extended" },
 *              { "number": 5, "start": "13631488B", "end": "20971519B", "size": "7340032B", "type": "logical" }
 *           ]
 *        }
 *     }
 */
export function parseTable(output: string): PartitionTable | null {
  const disk = member(jsonOf(output), "disk");
  const label = member(disk, "label");
  const sizeBytes = bytesOf(member(disk, "size"));
  const sectorBytes = member(disk, "logical-sector-size");
  if (typeof label !== "string" || sizeBytes === null || typeof sectorBytes !== "number") return null;
  if (!Number.isInteger(sectorBytes) || sectorBytes <= 0) return null;
  const rows = member(disk, "partitions") ?? [];
  if (!Array.isArray(rows)) return null;
  const areas = withKinds(rows.map(areaOf).filter((area) => area !== null));
  return { label, sizeBytes, sectorBytes, areas };
}

/** null: a row that says less than all, or what is no partition. */
function areaOf(row: unknown): DiskArea | null {
  const [startBytes, lastBytes] = [bytesOf(member(row, "start")), bytesOf(member(row, "end"))];
  if (startBytes === null || lastBytes === null || lastBytes < startBytes) return null;
  const range = { startBytes, endBytes: lastBytes + 1n };
  const [type, number] = [member(row, "type"), member(row, "number")];
  if (type === "free") return { content: "free", kind: "primary", ...range };
  if (type !== "primary" && type !== "logical" && type !== "extended") return null;
  if (typeof number !== "number" || !Number.isInteger(number) || number < 1) return null;
  return { content: "partition", kind: type, number, ...range };
}

/** parted does not say of free space whether it is inside an extended partition. */
function withKinds(areas: readonly DiskArea[]): DiskArea[] {
  const extended = areas.find((area) => area.kind === "extended");
  return areas.map((area) => {
    if (area.content !== "free" || extended === undefined || !contains(extended, area)) return area;
    return { ...area, kind: "logical" };
  });
}

function contains(outer: ByteRange, inner: ByteRange): boolean {
  return inner.startBytes >= outer.startBytes && inner.endBytes <= outer.endBytes;
}

function jsonOf(output: string): unknown {
  try {
    return JSON.parse(output);
  } catch {
    return undefined;
  }
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

/** "67108864B" */
function bytesOf(value: unknown): bigint | null {
  return typeof value === "string" && /^\d{1,20}B$/.test(value) ? BigInt(value.slice(0, -1)) : null;
}
