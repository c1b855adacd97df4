import { columnsOf } from "../output/width.js";
import { readOverview } from "../overview/overview.js";
import { formatOverview } from "../overview/screen.js";
import { command } from "./command.js";

export const overview = command({
  name: "overview",
  summary: "show how things stand, on one screen",
  parameters: {},
  async run(context) {
    await context.withConnection(async (connection) => {
      const overview = await readOverview(connection, context);
      const columns = columnsOf(context.surroundings.stdout);
      context.printResult(overview, () => formatOverview(overview, columns));
    });
  },
});
