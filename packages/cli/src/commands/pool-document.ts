import type { CallOptions, Connection, Pool } from "@cistern/client";
import type { Context } from "../context.js";
import { readDocument } from "../documents.js";
import { attempt } from "../failure.js";
import { withProgress } from "../long-work.js";
import { findPool } from "../lookup.js";
import { printable } from "../output/text.js";
import { command } from "./command.js";
import { flag, poolParameter, text } from "./parameters.js";
import { buildParameters, leftOfCreation, readBuild } from "./pool-change.js";
import { printSelected, xpathParameters } from "./xpath.js";

export const poolDumpxml = command({
  name: "pool-dumpxml",
  summary: "pool information in XML",
  parameters: { pool: poolParameter, inactive: flag("show inactive defined XML"), ...xpathParameters },
  async run(context, { pool: name, inactive, ...selection }) {
    await context.withConnection(async (connection) => {
      const pool = await findPool(connection, name, context.call);
      await printSelected(context, await pool.xml({ inactive }, context.call), selection);
    });
  },
});

const poolFile = text('file containing an XML pool description ("-": standard input)', { completes: "files" });

export const poolDefine = command({
  name: "pool-define",
  summary: "define an inactive persistent storage pool or modify an existing one from an XML file",
  parameters: { file: poolFile, validate: flag("validate the XML against the schema") },
  async run(context, { file, validate }) {
    const xml = await readDocument(file, context.surroundings.stdin);
    await context.withConnection(async (connection) => {
      const { name, uuid } = await attempt(`Failed to define pool from ${file}`, () =>
        connection.definePool(xml, { validate }, context.call),
      );
      context.printDone(`Pool ${printable(name)} defined from ${printable(file)}`, { pool: name, uuid });
    });
  },
});

export const poolCreate = command({
  name: "pool-create",
  summary: "create a transient pool from an XML file and start it",
  parameters: { file: poolFile, ...buildParameters },
  async run(context, { file, ...values }) {
    const build = readBuild(values);
    const xml = await readDocument(file, context.surroundings.stdin);
    await context.withConnection(async (connection) => {
      const { name, uuid } = await attempt(`Failed to create pool from ${file}`, () =>
        withCreation(context, connection, { xml, left: leftOfCreation(build) }, (call) =>
          connection.createPool(xml, { build }, call),
        ),
      );
      context.printDone(`Pool ${printable(name)} created from ${printable(file)}`, { pool: name, uuid });
    });
  },
});

/** Its job is found by the name in the document; what is wrong with one that cannot be read is the server's to say. */
async function withCreation(
  context: Context,
  connection: Connection,
  { xml, left }: { readonly xml: string; readonly left: string },
  create: (options: CallOptions) => Promise<Pool>,
): Promise<Pool> {
  const { DocumentError, readPool } = await import("@cistern/documents");
  let pool: string;
  try {
    pool = readPool(xml).name;
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    return create(context.call);
  }
  return withProgress(context, connection, { pool, volume: null, left }, create);
}
