import type { Pool, ReachReport } from "@cistern/client";
import { findPool } from "../lookup.js";
import { formatSentence } from "../output/sentences.js";
import { printable } from "../output/text.js";
import { command } from "./command.js";
import { optionalPoolParameter, optionalText } from "./parameters.js";

export const doctor = command({
  name: "doctor",
  summary: "check whether guests reach each volume, and print the command that mends it; status 1 if one is needed",
  parameters: {
    pool: optionalPoolParameter,
    user: optionalText("whom guests run as (default: as libvirt is configured)", { isNamedOnly: true }),
    group: optionalText("in which group", { isNamedOnly: true }),
  },
  async run(context, { pool: name, user, group }) {
    await context.withConnection(async (connection) => {
      const pools: Pool[] =
        name === null
          ? await connection.listPools({ active: true }, context.call)
          : [await findPool(connection, name, context.call)];
      for (const pool of pools) {
        const as = { user: user ?? undefined, group: group ?? undefined };
        const report = await connection.uses.checkReach(pool, as, context.call);
        context.printRecord({ pool: pool.name, ...report }, () => formatReach(pool.name, report));
        if (report.faults.length > 0) context.endWithFindings();
      }
    });
  },
});

/** As many volumes as are worth a line. */
const SHOWN_VOLUMES = 3;

export function formatReach(pool: string, { user, group, volumes, faults }: ReachReport): string {
  const who = `guests run as ${printable(user)}:${printable(group)}`;
  if (faults.length === 0) return `Pool ${printable(pool)}: all ${volumes} volumes are reached (${who})\n`;
  const lines = faults.map((fault) => {
    const some = fault.volumes.slice(0, SHOWN_VOLUMES).join(", ");
    const more = fault.volumes.length > SHOWN_VOLUMES ? ` and ${fault.volumes.length - SHOWN_VOLUMES} more` : "";
    return `${formatSentence(fault.detail)}${formatSentence(`for: ${some}${more}`, 4)}    mend: ${printable(fault.command)}\n`;
  });
  return `Pool ${printable(pool)}: not all volumes are reached (${who})\n${lines.join("")}`;
}
