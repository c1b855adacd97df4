import { printable } from "./text.js";

export interface Column<Row> {
  readonly title: string;
  /** Numbers stand to the right. */
  readonly align?: "left" | "right";
  cell(row: Row): string;
}

/** Rows under their titles, each column as wide as its widest cell, two spaces between columns. */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const lines = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ cell }) => printable(cell(row)))),
  ];
  const widths = columns.map((_, index) => Math.max(...lines.map((cells) => width(cells[index] ?? ""))));
  return lines
    .map((cells) =>
      cells
        .map((cell, index) => pad(cell, widths[index] ?? 0, columns[index]?.align))
        .join("  ")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}

/** Facts under each other: `Name:  default`. A null is left out. */
export function formatFacts(facts: Readonly<Record<string, string | null>>): string {
  const present = Object.entries(facts).flatMap(([name, value]) => (value === null ? [] : [[name, value] as const]));
  const widest = Math.max(0, ...present.map(([name]) => name.length));
  return present.map(([name, value]) => `${`${name}:`.padEnd(widest + 2)} ${printable(value)}\n`).join("");
}

export function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}

function pad(cell: string, columnWidth: number, align: "left" | "right" = "left"): string {
  const filling = " ".repeat(columnWidth - width(cell));
  return align === "left" ? cell + filling : filling + cell;
}

/** Code points: wide characters are a column off, which is better than a table of them. */
function width(text: string): number {
  return [...text].length;
}
