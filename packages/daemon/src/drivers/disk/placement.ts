import { ErrorCode, ErrorDomain, LibvirtError } from "@cistern/protocol";
import type { ByteRange, FreeArea, PartitionArea, PartitionKind, PartitionTable } from "../../tools/parted.js";

/*
 * Where a new partition goes, and which kind and number it gets. Pure, so that every case of it can be tested without a disk.
 * What is said for "msdos" is libvirt's way of placing (from cylinder to cylinder), to the byte.
 */

export interface WantedPartition {
  /** A volume format of disk pools: "none", "linux", "extended" … */
  readonly format: string;
  readonly sizeBytes: bigint;
}

export interface PlannedPartition extends ByteRange {
  readonly kind: PartitionKind;
  /** The one parted will give it. */
  readonly number: number;
}

/** Tables of DOS have room for four; one of them may be extended, and hold any number of logical ones. */
const PRIMARIES = 4;
const FIRST_LOGICAL = 5;

/** The third partition of a Sun label is the whole disk, by custom. */
const WHOLE_DISK_OF_SUN = 3;

/** libvirt's refusals: 1/18 "extended partition already exists", "no large enough free extent" … */
export function planPartition(table: PartitionTable, wanted: WantedPartition): PlannedPartition {
  const kind = kindOf(table, wanted.format);
  return { kind, number: nextNumber(table, kind), ...placeOf(table, kind, wanted.sizeBytes) };
}

function kindOf(table: PartitionTable, format: string): PartitionKind {
  if (table.label !== "msdos") return "primary";
  const taken = partitionsOf(table);
  const hasExtended = taken.some(({ kind }) => kind === "extended");
  if (format === "extended") {
    if (hasExtended) throw refusal("extended partition already exists");
    return "extended";
  }
  if (taken.filter(({ kind }) => kind !== "logical").length < PRIMARIES) return "primary";
  if (!hasExtended) throw refusal("no extended partition found and no primary partition available");
  return "logical";
}

function nextNumber(table: PartitionTable, kind: PartitionKind): number {
  const taken = new Set(partitionsOf(table).map(({ number }) => number));
  let number = kind === "logical" ? FIRST_LOGICAL : 1;
  while (taken.has(number) || (table.label === "sun" && number === WHOLE_DISK_OF_SUN)) number++;
  return number;
}

/** The smallest free area that is larger than what is needed there. */
function placeOf(table: PartitionTable, kind: PartitionKind, sizeBytes: bigint): ByteRange {
  const areaKind = kind === "logical" ? "logical" : "primary";
  const places = freeAreasOf(table)
    .filter((area) => area.kind === areaKind)
    .map((area) => ({ area, place: placeIn(area, table, kind, sizeBytes) }))
    .filter(({ area, place }) => place !== null && place.endBytes <= area.endBytes)
    .sort((one, other) => compare(lengthOf(one.area), lengthOf(other.area)));
  const place = places[0]?.place;
  if (place === null || place === undefined) throw refusal("no large enough free extent");
  return place;
}

/** null: it does not fit. */
function placeIn(area: FreeArea, table: PartitionTable, kind: PartitionKind, sizeBytes: bigint): ByteRange | null {
  const sector = BigInt(table.sectorBytes);
  const cylinder = cylinderBytes(table.sectorBytes);
  if (table.label === "msdos") return placeByCylinders(area, kind, sizeBytes, cylinder, sector);
  if (table.label === "sun" || table.label === "pc98") {
    // These tables count in cylinders; parted refuses what does not begin and end with one.
    const startBytes = roundUp(firstUsable(area), cylinder);
    return { startBytes, endBytes: startBytes + roundUp(sizeBytes, cylinder) };
  }
  const startBytes = firstUsable(area);
  const endBytes = startBytes + roundUp(sizeBytes, sector);
  // libvirt never takes all of a free extent.
  return lengthOf({ ...area, startBytes }) > sizeBytes ? { startBytes, endBytes } : null;
}

function placeByCylinders(
  area: FreeArea,
  kind: PartitionKind,
  sizeBytes: bigint,
  cylinder: bigint,
  sector: bigint,
): ByteRange | null {
  // Before a logical partition there is a sector that leads to it.
  const link = kind === "logical" ? sector : 0n;
  const startBytes = area.startBytes + link;
  const extra = cylinder - (sizeBytes % cylinder);
  const offset = startBytes % cylinder;
  const needed = sizeBytes + extra + (offset > extra ? cylinder : 0n);
  if (lengthOf(area) - link <= needed) return null;
  return { startBytes, endBytes: startBytes + needed - offset };
}

/**
 * Of parted's geometry: 255 heads and 1 + sector size / 512 sectors a track, whatever the disk itself says (libparted does
 * not ask it any more).
 */
export function cylinderBytes(sectorBytes: number): bigint {
  return 255n * (1n + BigInt(sectorBytes) / 512n) * BigInt(sectorBytes);
}

/** The first sector holds the label. */
function firstUsable({ startBytes }: ByteRange): bigint {
  return startBytes === 0n ? 512n : startBytes;
}

/** As libvirt tells it: with the label's sector left out. */
export function freeExtentsOf(table: PartitionTable): ByteRange[] {
  return freeAreasOf(table).map((area) => ({ startBytes: firstUsable(area), endBytes: area.endBytes }));
}

export function freeAreasOf({ areas }: PartitionTable): FreeArea[] {
  return areas.filter((area) => area.content === "free");
}

export function partitionsOf({ areas }: PartitionTable): PartitionArea[] {
  return areas.filter((area) => area.content === "partition");
}

export function lengthOf({ startBytes, endBytes }: ByteRange): bigint {
  return endBytes - startBytes;
}

function roundUp(bytes: bigint, unit: bigint): bigint {
  return ((bytes + unit - 1n) / unit) * unit;
}

function compare(one: bigint, other: bigint): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function refusal(text: string): LibvirtError {
  return LibvirtError.of(ErrorCode.INTERNAL_ERROR, ErrorDomain.STORAGE, text);
}
