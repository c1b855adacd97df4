import type { Attachment, DomainSource } from "@cistern/client";
import { formatSentence } from "../output/sentences.js";
import { type Column, formatTable, yesNo } from "../output/table.js";
import { printable } from "../output/text.js";
import { command } from "./command.js";
import { formatDoubts } from "./doubts.js";
import { optionalText } from "./parameters.js";
import { findPlacedVolume } from "./volume-place.js";

export const attachmentColumns: readonly Column<Attachment>[] = [
  { title: "Domain", cell: ({ domain }) => domain.name },
  { title: "State", cell: ({ domain }) => domain.state },
  { title: "When", cell: ({ when }) => when },
  { title: "As", cell: roleOf },
  { title: "Access", cell: ({ isReadOnly, isShareable }) => (isReadOnly ? "read" : isShareable ? "shared" : "write") },
  { title: "Volume", cell: volumesOf },
];

export const attachments = command({
  name: "attachments",
  summary: "list which guest uses which volume, live and in its definition (only cisternd knows)",
  parameters: {
    domain: optionalText("only what this guest uses, by name or uuid", { completes: "domains", isNamedOnly: true }),
    volume: optionalText("only who uses this volume: POOL/VOL, or its path", {
      completes: "places",
      isNamedOnly: true,
      placeholder: "volume",
    }),
  },
  async run(context, { domain, volume: place }) {
    await context.withConnection(async (connection) => {
      const volume = place === null ? undefined : await findPlacedVolume(connection, place, context.call);
      const { items, ...known } = await connection.uses.attachments(
        { domain: domain ?? undefined, volume },
        context.call,
      );
      context.printResult({ attachments: items, ...known }, () => {
        return (
          formatTable(attachmentColumns, items, { head: !context.isQuiet }) +
          items.map(formatProblem).join("") +
          formatDoubts(known)
        );
      });
    });
  },
});

const sourceColumns: readonly Column<DomainSource>[] = [
  { title: "Source", cell: ({ name }) => name },
  { title: "Kind", cell: ({ kind }) => kind },
  { title: "Domains", cell: ({ domains }) => String(domains) },
  { title: "Answers", cell: ({ answers }) => yesNo(answers) },
  { title: "Since", cell: ({ since }) => since.toISOString().replace(/\.\d+Z$/, "Z") },
  { title: "Reason", cell: ({ reason }) => reason ?? "" },
];

export const domainSources = command({
  name: "domain-sources",
  summary: "list where cisternd hears of guests, and whether each source answers",
  parameters: {},
  async run(context) {
    await context.withConnection(async (connection) => {
      const sources = await connection.uses.domainSources(context.call);
      const { items: _, ...known } = await connection.uses.attachments({}, context.call);
      context.printResult({ sources, ...known }, () => {
        return formatTable(sourceColumns, sources, { head: !context.isQuiet }) + formatDoubts(known);
      });
    });
  },
});

/** A sentence needs more than a cell. Most name their file themselves. */
function formatProblem(attachment: Attachment): string {
  const { domain, place, problem } = attachment;
  if (problem === null) return "";
  const sentence = problem.includes(place) ? problem : `${place}: ${problem}`;
  return `\nProblem: guest '${printable(domain.name)}', ${printable(roleOf(attachment))}\n${formatSentence(sentence)}`;
}

/** "vda", "backing of vda", "nvram". */
function roleOf({ role, target }: Attachment): string {
  if (target === null) return role;
  return role === "disk" ? target : `${role} ${target}`;
}

function volumesOf({ volumes, place }: Attachment): string {
  if (volumes.length === 0) return place;
  return volumes.map(({ pool, volume }) => `${pool}/${volume}`).join(", ");
}
