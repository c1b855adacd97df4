import type { Connection } from "@cistern/client";
import type { Context } from "../context.js";
import { ifCistern } from "../own-program.js";
import type { Attention } from "./attention.js";

/** What is wrong with how guests use storage, and where it is not known; nothing where the daemon is no Cistern. */
export async function worriesAboutGuests({ uses }: Connection, { call }: Context): Promise<readonly Attention[]> {
  const known = await ifCistern(() => Promise.all([uses.domainSources(call), uses.conflicts(call)]));
  if (known === null) return [];
  const [sources, conflicts] = known;
  const silent = sources
    .filter(({ answers }) => !answers)
    .map(({ name, reason }) => ({
      what: `${name} does not say what its guests use${reason === null ? "" : `: ${reason}`}`,
      command: "cistern domain-sources",
    }));
  const [first, ...others] = conflicts.items.filter(({ severity }) => severity === "error");
  if (first === undefined) return silent;
  const more = others.length === 0 ? "" : `, and ${others.length} more`;
  return [{ what: `${first.detail}${more}`, command: "cistern conflicts" }, ...silent];
}
