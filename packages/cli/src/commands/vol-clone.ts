import { attemptOn } from "../failure.js";
import { findPool, findVolume } from "../lookup.js";
import { printable } from "../output/text.js";
import { command } from "./command.js";
import { flag, optionalPoolParameter, optionalText, text, volumeParameter } from "./parameters.js";
import { create, created, createParameters, reflinkParameter } from "./vol-create.js";

export const volClone = command({
  name: "vol-clone",
  summary: "clone a volume",
  parameters: {
    vol: volumeParameter,
    newname: text("clone name"),
    pool: optionalPoolParameter,
    ...createParameters,
    reflink: reflinkParameter,
    "print-xml": flag("print XML document rather than clone the volume"),
    to: optionalText("pool of the clone (default: that of the volume)", { completes: "pools", isNamedOnly: true }),
    format: optionalText("format of the clone (default: that of the volume)", { isNamedOnly: true }),
  },
  async run(context, { vol, newname, pool: poolName, reflink, to, format, ...values }) {
    const { copyOfVolume } = await import("@cistern/documents");
    await context.withConnection(async (connection) => {
      const source = await findVolume(connection, vol, poolName, context.call);
      const task = `Failed to clone vol from ${source.name}`;
      const original = await attemptOn(source, task, () => source.xml(context.call));
      const xml = copyOfVolume(original, newname, format);
      // Without a line end, as virsh prints it.
      if (values["print-xml"]) return context.print(xml.trimEnd());
      const pool = await findPool(connection, to ?? source.poolName, context.call);
      const settings = { preallocateMetadata: values["prealloc-metadata"], reflink };
      const volume = await create(context, connection, pool, task, (call) =>
        pool.cloneVolume(xml, source, settings, call),
      );
      const text = `Vol ${printable(newname)} cloned from ${printable(source.name)}`;
      context.printDone(text, { ...created(volume), source: { pool: source.poolName, volume: source.name } });
    });
  },
});
