import { command } from "./command.js";

export const poolCapabilities = command({
  name: "pool-capabilities",
  summary: "storage pool capabilities",
  parameters: {},
  async run(context) {
    await context.withConnection(async (connection) => {
      // virsh ends the document with a line end of its own.
      context.print(`${await connection.poolCapabilities(context.call)}\n`);
    });
  },
});
