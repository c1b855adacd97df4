import type { Secret } from "@cistern/client";
import { type Column, formatTable } from "../output/table.js";
import { command } from "./command.js";
import { either, flag } from "./parameters.js";

const columns: readonly Column<Secret>[] = [
  { title: "UUID", cell: ({ uuid }) => uuid },
  { title: "Usage", cell: ({ usage, usageId }) => (usage === "none" ? "Unused" : `${usage} ${usageId}`) },
];

export const secretList = command({
  name: "secret-list",
  summary: "list secrets",
  parameters: {
    ephemeral: flag("list ephemeral secrets"),
    "no-ephemeral": flag("list non-ephemeral secrets"),
    private: flag("list private secrets"),
    "no-private": flag("list non-private secrets"),
  },
  async run(context, values) {
    const filter = {
      ephemeral: either(values.ephemeral, values["no-ephemeral"]),
      private: either(values.private, values["no-private"]),
    };
    await context.withConnection(async (connection) => {
      const found = await connection.listSecrets(filter, context.call);
      const secrets = [...found].sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
      const data = secrets.map(({ uuid, usage, usageId }) => ({ uuid, usage, usageId }));
      context.printResult(data, () => formatTable(columns, secrets, { head: !context.isQuiet }));
    });
  },
});
