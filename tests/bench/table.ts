import type { GuestMeasurement, Scale } from "./guests.js";
import type { Measurement, Side } from "./measure.js";

/** The closing table: medians, their spread, and the ratio (below 1: cisternd is faster). */
export function formatTable(measurements: readonly Measurement[], volumes: number): string {
  const rows = [
    ["row", "cisternd", "libvirtd", "ratio", "target", "met", "what"],
    ...measurements.map(({ row, cisternd, libvirtd, ratio, met, complaint }) => [
      row.name,
      cell(cisternd, row.unit),
      cell(libvirtd, row.unit),
      ratio.toFixed(2),
      row.target === undefined ? "" : `${row.target}x`,
      met === undefined ? "" : met ? "yes" : "NO",
      row.title(volumes) + (complaint === null ? "" : `; ${complaint}`),
    ]),
  ];
  return aligned(rows);
}

/** What is measured alone, against a time. */
export function formatGuestTable(measurements: readonly GuestMeasurement[], scale: Scale): string {
  return aligned([
    ["row", "cisternd", "target", "met", "what"],
    ...measurements.map(({ row, medianMs, spread, met }) => [
      row.name,
      cell({ median: medianMs, spread }, "ms"),
      `${row.targetMs} ms`,
      met ? "yes" : "NO",
      row.title(scale),
    ]),
  ]);
}

/** The first column to the left, the last as it is. */
function aligned(rows: readonly (readonly string[])[]): string {
  const columns = (rows[0]?.length ?? 1) - 1;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row) =>
      row
        .map((text, column) => (column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0)))
        .join("  "),
    )
    .join("\n");
}

function cell(side: Pick<Side, "median" | "spread">, unit: string): string {
  const digits = side.median < 100 ? 1 : 0;
  return `${side.median.toFixed(digits)} ${unit} ±${Math.round(side.spread * 100)}%`;
}
