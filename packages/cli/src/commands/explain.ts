import type { VolumeExplanation } from "@cistern/client";
import { formatSentences } from "../output/sentences.js";
import { formatTable } from "../output/table.js";
import { printable } from "../output/text.js";
import { attachmentColumns } from "./attachments.js";
import { command } from "./command.js";
import { formatDoubts } from "./doubts.js";
import { findPlacedVolume, volumePlaceParameter } from "./volume-place.js";

export const explain = command({
  name: "explain",
  summary: "say who needs a volume, why it cannot be deleted, and what would break (only cisternd knows)",
  parameters: { volume: volumePlaceParameter },
  async run(context, { volume: place }) {
    await context.withConnection(async (connection) => {
      const volume = await findPlacedVolume(connection, place, context.call);
      const explanation = await connection.uses.explain(volume, context.call);
      const data = { pool: volume.poolName, volume: volume.name, ...explanation };
      context.printResult(data, () => formatExplanation(`${volume.poolName}/${volume.name}`, explanation));
    });
  },
});

const VERDICTS: Readonly<Record<string, string>> = {
  "in-use": "is in use",
  "next-boot": "is not known to be used now, and is what guests are defined with",
  unused: "is not used by anybody",
  unknown: "may be in use: it is unknown whether anybody uses it",
};

export function formatExplanation(name: string, explanation: VolumeExplanation): string {
  const { verdict, attachments, obstacles, losses } = explanation;
  return [
    `Volume ${printable(name)} ${VERDICTS[verdict] ?? printable(verdict)}.\n`,
    attachments.length === 0 ? "" : `\n${formatTable(attachmentColumns, attachments)}`,
    formatSentences("It cannot be deleted now", obstacles),
    obstacles.length === 0 ? `\n${freedomOf(explanation)}\n` : "",
    formatSentences("Without it", losses),
    formatDoubts(explanation),
  ].join("");
}

/** What cisternd lets virsh do, cistern itself does not do unasked. */
function freedomOf({ attachments }: VolumeExplanation): string {
  if (attachments.length === 0) return "Nothing that is known keeps it from being deleted.";
  return "Other clients may delete it; cistern does so only with --even-if-defined.";
}
