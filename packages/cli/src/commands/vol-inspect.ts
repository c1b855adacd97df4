import type { VolumeInspection } from "@cistern/client";
import { findVolume } from "../lookup.js";
import { formatSize } from "../output/size.js";
import { type Column, formatFacts, formatTable, yesNo } from "../output/table.js";
import { printable } from "../output/text.js";
import { command } from "./command.js";
import { poolParameter, volumeParameter } from "./parameters.js";

type Image = NonNullable<VolumeInspection["image"]>;
type Qcow2 = NonNullable<Image["qcow2"]>;
type Link = VolumeInspection["chain"][number];
type Snapshot = Qcow2["snapshots"]["listed"][number];
type Bitmap = Qcow2["bitmaps"]["listed"][number];

export const volInspect = command({
  name: "vol-inspect",
  summary: "look into an image and along its backing chain (only cisternd can)",
  parameters: { pool: poolParameter, vol: volumeParameter },
  async run(context, { pool, vol }) {
    await context.withConnection(async (connection) => {
      const volume = await findVolume(connection, vol, pool, context.call);
      const inspection = await connection.inspectVolume(volume, context.call);
      context.printResult(inspection, () => formatInspection(inspection));
    });
  },
});

/** The image's facts, then its snapshots and bitmaps, the chain, and at the end what is wrong. */
export function formatInspection(inspection: VolumeInspection): string {
  const { image, chain } = inspection;
  const qcow2 = image?.qcow2 ?? null;
  const parts = [
    formatFacts({ Volume: inspection.volume, Pool: inspection.pool, ...factsOf(image, chain[0]) }),
    titled("Snapshots", qcow2?.snapshots, snapshotColumns),
    titled("Bitmaps", qcow2?.bitmaps, bitmapColumns),
    chain.length > 1 || !inspection.isComplete ? `\nChain${inspection.isComplete ? "" : " (incomplete)"}\n` : "",
    chain.length > 1 || !inspection.isComplete ? formatTable(linkColumns, chain.map(numbered)) : "",
    formatProblems(inspection),
  ];
  return parts.join("");
}

function factsOf(image: Image | null, link: Link | undefined): Readonly<Record<string, string | null>> {
  const sizes = { "File size": sizeOr(link?.sizeBytes ?? null), Allocation: sizeOr(link?.allocatedBytes ?? null) };
  if (image === null) return { Format: link?.format ?? "not known", ...sizes, "Looked into": "no" };
  const { subformat, version, clusterSizeBytes, encryption, backing, dataFiles } = image;
  return {
    Format: [image.format, version === null ? null : `version ${version}`, subformat].filter(Boolean).join(", "),
    Capacity: sizeOr(image.capacityBytes),
    ...sizes,
    "Cluster size": sizeOr(clusterSizeBytes),
    Encryption: encryption,
    Backing: backing === null ? null : `${backing.string} (${backing.format ?? "format not declared"})`,
    "Data files": dataFiles.length === 0 ? null : dataFiles.join(", "),
    ...(image.qcow2 === null ? {} : qcow2Facts(image.qcow2)),
  };
}

function qcow2Facts(qcow2: Qcow2): Readonly<Record<string, string | null>> {
  const { unknownFeatures, dataFile, luksHeader } = qcow2;
  const states = [qcow2.isDirty ? "not closed properly" : null, qcow2.isCorrupt ? "marked as corrupt" : null];
  return {
    Refcounts: `${qcow2.refcountBits} bits${qcow2.hasLazyRefcounts ? ", lazy" : ""}`,
    Compression: qcow2.compression,
    "Extended L2": yesNo(qcow2.hasExtendedL2),
    "Raw data file": dataFile === null ? null : yesNo(dataFile.isRaw),
    "LUKS header": luksHeader === null ? null : `${luksHeader.lengthBytes} bytes at ${luksHeader.offsetBytes}`,
    "Unknown features":
      unknownFeatures.length === 0 ? null : unknownFeatures.map(({ bit, name }) => name ?? `bit ${bit}`).join(", "),
    State: states.filter((state) => state !== null).join(", ") || null,
  };
}

const snapshotColumns: readonly Column<Snapshot>[] = [
  { title: "Id", cell: ({ id }) => id },
  { title: "Name", cell: ({ name }) => name },
  { title: "Created", cell: ({ createdNs }) => timeOf(createdNs) },
  { title: "Memory", cell: ({ vmStateBytes }) => formatSize(vmStateBytes) },
  { title: "Capacity", cell: ({ virtualSizeBytes }) => sizeOr(virtualSizeBytes) ?? "-" },
];

const bitmapColumns: readonly Column<Bitmap>[] = [
  { title: "Name", cell: ({ name }) => name },
  { title: "Granularity", cell: ({ granularityBytes }) => formatSize(granularityBytes) },
  { title: "Recording", cell: ({ isRecording }) => yesNo(isRecording) },
  { title: "Usable", cell: ({ isInUse }) => yesNo(!isInUse) },
];

interface NumberedLink extends Link {
  readonly number: number;
}

function numbered(link: Link, number: number): NumberedLink {
  return { ...link, number };
}

const linkColumns: readonly Column<NumberedLink>[] = [
  { title: "#", cell: ({ number }) => String(number) },
  { title: "Role", cell: ({ role, namedBy }) => (namedBy === null ? role : `${role} of ${namedBy}`) },
  { title: "Format", cell: ({ format, formatOrigin }) => (format === null ? "?" : `${format} (${formatOrigin})`) },
  { title: "Capacity", cell: ({ capacityBytes }) => sizeOr(capacityBytes) ?? "-" },
  { title: "Allocation", cell: ({ allocatedBytes }) => sizeOr(allocatedBytes) ?? "-" },
  { title: "Volume", cell: ({ inside }) => (inside === null ? "-" : `${inside.pool}/${inside.volume ?? "?"}`) },
  { title: "File", cell: ({ path, name }) => path ?? name },
];

/** A table under its title; nothing where there is nothing. */
function titled<Row>(
  title: string,
  list: { readonly count: number; readonly listed: readonly Row[] } | undefined,
  columns: readonly Column<Row>[],
): string {
  if (list === undefined || list.count === 0) return "";
  const missing = list.count - list.listed.length;
  return `\n${title}${missing > 0 ? ` (${list.listed.length} of ${list.count})` : ""}\n${formatTable(columns, list.listed)}`;
}

function formatProblems({ chain, image }: VolumeInspection): string {
  const lines = chain.flatMap(({ problems, image: found }, number) => [
    ...problems.map(({ kind, detail }) => `  ${number}: ${kind}: ${printable(detail)}\n`),
    ...(found?.problems ?? []).map((detail) => `  ${number}: ${printable(detail)}\n`),
    ...(found?.qcow2?.problems ?? []).map((detail) => `  ${number}: ${printable(detail)}\n`),
  ]);
  if (chain.length === 0) lines.push(...(image?.problems ?? []).map((detail) => `  ${printable(detail)}\n`));
  const unique = [...new Set(lines)];
  return unique.length === 0 ? "" : `\nProblems\n${unique.join("")}`;
}

function sizeOr(bytes: bigint | null): string | null {
  return bytes === null ? null : formatSize(bytes);
}

/** Images say what they like: not every number is a date. */
function timeOf(nanoseconds: bigint): string {
  const date = new Date(Number(nanoseconds / 1_000_000n));
  return Number.isNaN(date.getTime()) ? "-" : date.toISOString().replace(/\.\d+Z$/, "Z");
}
