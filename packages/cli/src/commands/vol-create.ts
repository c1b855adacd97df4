import type { Connection, Pool, Volume } from "@cistern/client";
import type { Context } from "../context.js";
import { readDocument } from "../documents.js";
import { attempt } from "../failure.js";
import { withProgress } from "../long-work.js";
import { findPool, findVolume } from "../lookup.js";
import { printable } from "../output/text.js";
import { command } from "./command.js";
import { flag, optionalPoolParameter, poolParameter, text, volumeParameter } from "./parameters.js";

export const createParameters = {
  "prealloc-metadata": flag("preallocate metadata (for qcow2 instead of full allocation)"),
} as const;
export const reflinkParameter = flag("share blocks with the source, where the file system can");

const volumeFile = text('file containing an XML vol description ("-": standard input)', { completes: "files" });
const validate = flag("validate the XML against the schema");

export const volCreate = command({
  name: "vol-create",
  summary: "create a vol from an XML file",
  parameters: { pool: poolParameter, file: volumeFile, ...createParameters, validate },
  async run(context, { pool: poolName, file, validate, "prealloc-metadata": preallocateMetadata }) {
    const xml = await readDocument(file, context.surroundings.stdin);
    await context.withConnection(async (connection) => {
      const pool = await findPool(connection, poolName, context.call);
      const volume = await create(context, connection, pool, `Failed to create vol from ${file}`, (call) =>
        pool.createVolume(xml, { preallocateMetadata, validate }, call),
      );
      context.printDone(`Vol ${printable(volume.name)} created from ${printable(file)}`, created(volume));
    });
  },
});

export const volCreateFrom = command({
  name: "vol-create-from",
  summary: "create a vol, using another volume as input",
  parameters: {
    pool: poolParameter,
    file: volumeFile,
    vol: volumeParameter,
    inputpool: optionalPoolParameter,
    ...createParameters,
    reflink: reflinkParameter,
    validate,
  },
  async run(context, { pool: poolName, file, vol, inputpool, validate, reflink, ...values }) {
    const settings = { preallocateMetadata: values["prealloc-metadata"], reflink, validate };
    const xml = await readDocument(file, context.surroundings.stdin);
    await context.withConnection(async (connection) => {
      const pool = await findPool(connection, poolName, context.call);
      const source = await findVolume(connection, vol, inputpool, context.call);
      const volume = await create(context, connection, pool, `Failed to create vol from ${file}`, (call) =>
        pool.cloneVolume(xml, source, settings, call),
      );
      const text = `Vol ${printable(volume.name)} created from input vol ${printable(source.name)}`;
      context.printDone(text, { ...created(volume), source: { pool: source.poolName, volume: source.name } });
    });
  },
});

/** Creates a volume, of which only the server may know how it is called. */
export function create(
  context: Context,
  connection: Connection,
  pool: Pool,
  task: string,
  call: Parameters<typeof withProgress<Volume>>[3],
): Promise<Volume> {
  const subject = { pool: pool.name };
  return attempt(task, () => withProgress(context, connection, subject, call), subject);
}

export function created({ poolName, name, key }: Volume) {
  return { pool: poolName, volume: name, key };
}
