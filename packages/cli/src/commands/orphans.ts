import type { DomainSource, Orphan, OrphanPage } from "@cistern/client";
import { compareNames } from "../output/names.js";
import { formatSize } from "../output/size.js";
import { type Column, formatTable } from "../output/table.js";
import { printable } from "../output/text.js";
import { command } from "./command.js";
import { formatDoubts } from "./doubts.js";

const columns: readonly Column<Orphan>[] = [
  { title: "Pool", cell: ({ pool }) => pool },
  { title: "Volume", cell: ({ volume }) => volume },
  { title: "Allocation", cell: ({ allocationBytes }) => formatSize(allocationBytes) },
  { title: "Modified", cell: ({ modifiedAt }) => modifiedAt?.toISOString().replace(/\.\d+Z$/, "Z") ?? "-" },
];

export const orphans = command({
  name: "orphans",
  summary: "list volumes that no guest uses and nothing is built on, with who was asked (only cisternd knows)",
  parameters: {},
  async run(context) {
    await context.withConnection(async (connection) => {
      const found: Orphan[] = [];
      let sources: readonly DomainSource[] = [];
      let known: Omit<OrphanPage, "items" | "total" | "sources"> = { doubts: [], isAnybodyAsked: true };
      for await (const page of connection.uses.orphans(context.call)) {
        found.push(...page.items);
        ({ sources } = page);
        known = { doubts: page.doubts, isAnybodyAsked: page.isAnybodyAsked };
      }
      found.sort((a, b) => compareNames(a.pool, b.pool) || compareNames(a.volume, b.volume));
      const { doubts } = known;
      const verdict = doubts.length === 0 ? "unused" : "unknown";
      context.printResult({ verdict, orphans: found, sources, ...known }, () => {
        const table = formatTable(columns, found, { head: !context.isQuiet });
        return table + formatEvidence(found, sources, doubts) + formatDoubts(known);
      });
    });
  },
});

function formatEvidence(
  orphans: readonly Orphan[],
  sources: readonly DomainSource[],
  doubts: readonly string[],
): string {
  const bytes = orphans.reduce((sum, { allocationBytes }) => sum + allocationBytes, 0n);
  const what = doubts.length === 0 ? "that nobody uses" : "of which it is unknown whether anybody uses them";
  const asked = sources.map(({ name, domains }) => `  ${printable(name)} (${domains} guests)\n`).join("");
  const head = `\n${orphans.length} ${orphans.length === 1 ? "volume" : "volumes"} with ${formatSize(bytes)} ${what}.`;
  return sources.length === 0 ? `${head}\n` : `${head} Asked:\n${asked}`;
}
