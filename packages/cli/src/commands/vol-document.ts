import { attemptOn } from "../failure.js";
import { findVolume } from "../lookup.js";
import { command } from "./command.js";
import { optionalPoolParameter, volumeParameter } from "./parameters.js";
import { printSelected, xpathParameters } from "./xpath.js";

export const volDumpxml = command({
  name: "vol-dumpxml",
  summary: "vol information in XML",
  parameters: { vol: volumeParameter, pool: optionalPoolParameter, ...xpathParameters },
  async run(context, { vol, pool, ...selection }) {
    await context.withConnection(async (connection) => {
      const volume = await findVolume(connection, vol, pool, context.call);
      const xml = await attemptOn(volume, `Failed to get the document of vol ${vol}`, () => volume.xml(context.call));
      await printSelected(context, xml, selection);
    });
  },
});
