import type { AttachmentConflict } from "@cistern/client";
import { formatSentence } from "../output/sentences.js";
import { printable } from "../output/text.js";
import { command } from "./command.js";
import { formatDoubts } from "./doubts.js";

export const conflicts = command({
  name: "conflicts",
  summary:
    "list what is wrong with how guests use volumes, such as two that write to one; status 1 if there is more than notes",
  parameters: {},
  async run(context) {
    await context.withConnection(async (connection) => {
      const { items, ...known } = await connection.uses.conflicts(context.call);
      context.printResult({ conflicts: items, ...known }, () => formatConflicts(items) + formatDoubts(known));
      if (items.some(({ severity }) => severity !== "note")) context.endWithFindings();
    });
  },
});

/** A sentence needs more than a cell. */
export function formatConflicts(conflicts: readonly AttachmentConflict[]): string {
  if (conflicts.length === 0) return "No conflicts found.\n";
  return conflicts
    .map(({ severity, kind, detail }) => `${printable(severity)}: ${printable(kind)}\n${formatSentence(detail)}`)
    .join("");
}
