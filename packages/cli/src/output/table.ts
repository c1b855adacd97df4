import { printable } from "./text.js";
import { displayWidth } from "./width.js";

export interface Column<Row> {
  readonly title: string;
  cell(row: Row): string;
}

/** Between the end of a column's widest cell and the next column. */
const GAP = 3;

/**
 * Rows in virsh's form: a space, the titles, a line of dashes of the whole width, the rows. Each column is as wide as its
 * widest cell, in columns of the terminal. Without `head` only the rows.
 */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], { head = true } = {}): string {
  const titles = columns.map(({ title }) => title);
  const cells = rows.map((row) => columns.map(({ cell }) => printable(cell(row))));
  const widths = columns.map((_, index) =>
    Math.max(...[titles, ...cells].map((line) => displayWidth(line[index] ?? ""))),
  );
  const lines = (head ? [titles, ...cells] : cells).map((line) => formatLine(line, widths));
  if (head) lines.splice(1, 0, "-".repeat(widths.reduce((sum, width) => sum + width + GAP, 0)));
  return lines.map((line) => `${line}\n`).join("");
}

/** Facts under each other as virsh has them: `Name:           default`. A null is left out. */
export function formatFacts(facts: Readonly<Record<string, string | null>>): string {
  const present = Object.entries(facts).filter(([, value]) => value !== null);
  const width = Math.max(USUAL_FACT_COLUMNS, ...present.map(([name]) => name.length + 1));
  return present.map(([name, value]) => `${`${name}:`.padEnd(width)} ${printable(value ?? "")}\n`).join("");
}

const USUAL_FACT_COLUMNS = 15;

export function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}

/** The last cell of a line is not filled up. */
function formatLine(cells: readonly string[], widths: readonly number[]): string {
  const filled = cells.map((cell, index) => cell + " ".repeat((widths[index] ?? 0) - displayWidth(cell)));
  return ` ${[...filled.slice(0, -1), cells.at(-1) ?? ""].join(" ".repeat(GAP))}`;
}
