import type { AdoptionPlan, Connection, PoolProposal } from "@cistern/client";
import type { Context } from "../context.js";
import { attempt } from "../failure.js";
import { formatSentences } from "../output/sentences.js";
import { type Column, formatTable } from "../output/table.js";
import { printable } from "../output/text.js";
import { command } from "./command.js";
import { flag, optionalText } from "./parameters.js";

export const adopt = command({
  name: "adopt",
  summary: "propose the pools that would have the files that guests use outside pools; --yes makes them",
  parameters: {
    path: optionalText("only what is at or below this path", { completes: "files" }),
    domain: optionalText("only what this guest uses, by name or uuid", { completes: "domains", isNamedOnly: true }),
    yes: flag("define, start and autostart the pools; nothing in them is changed"),
  },
  async run(context, { path, domain, yes }) {
    await context.withConnection(async (connection) => {
      const of = { path: path ?? undefined, domain: domain ?? undefined };
      const plan = await connection.uses.adoptionPlan(of, context.call);
      if (!yes) {
        context.printResult(plan, () => formatPlan(plan));
        return;
      }
      for (const proposal of plan.proposals) {
        await attempt(
          `Failed to ${proposal.action} pool ${proposal.name}`,
          () => carryOut(connection, proposal, context),
          { pool: proposal.name, volume: null },
        );
        const text = `Pool ${printable(proposal.name)} ${DONE[proposal.action] ?? proposal.action}`;
        context.printDone(text, { pool: proposal.name, action: proposal.action });
      }
      if (context.isText && !context.isQuiet) context.print(formatRest(plan));
    });
  },
});

const DONE: Readonly<Record<string, string>> = {
  define: "defined, started and marked as autostarted",
  start: "started",
  refresh: "refreshed",
};

async function carryOut(connection: Connection, { action, name, xml }: PoolProposal, context: Context): Promise<void> {
  if (action !== "define") {
    const pool = await connection.lookupPool(name, context.call);
    await (action === "start" ? pool.start({}, context.call) : pool.refresh(context.call));
    return;
  }
  const pool = await connection.definePool(xml, {}, context.call);
  try {
    await pool.start({}, context.call);
  } catch (error) {
    await pool.undefine(context.patience).catch(() => {});
    throw error;
  }
  await pool.setAutostart(true, context.call);
}

const columns: readonly Column<PoolProposal>[] = [
  { title: "Pool", cell: ({ name }) => name },
  { title: "Type", cell: ({ type }) => type },
  { title: "To do", cell: ({ action }) => action },
  { title: "Files", cell: ({ places }) => String(places.length) },
  { title: "Domains", cell: ({ domains }) => domains.join(", ") },
];

export function formatPlan(plan: AdoptionPlan): string {
  const { proposals } = plan;
  const documents = proposals.filter(({ action }) => action === "define").map(({ xml }) => `\n${printableLines(xml)}`);
  return [
    proposals.length === 0 ? "" : formatTable(columns, proposals),
    ...documents,
    formatRest(plan),
    proposals.length === 0 ? "" : "\nThe same with --yes makes it so; no data is touched.\n",
  ].join("");
}

/** What there is to say besides the proposals. */
function formatRest({ proposals, left }: AdoptionPlan): string {
  const nothing = proposals.length === 0 ? "Nothing to adopt: no pool is missing for what guests use.\n" : "";
  const rest = left.map(({ place, reason }) => `${place}: ${reason}`);
  return nothing + formatSentences("No pool can have", rest);
}

function printableLines(xml: string): string {
  return xml.split("\n").map(printable).join("\n");
}
