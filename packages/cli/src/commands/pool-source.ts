import { POOL_TYPE_NAMES } from "@cistern/client";
import type { Context } from "../context.js";
import { readDocument } from "../documents.js";
import { attempt } from "../failure.js";
import { command } from "./command.js";
import { optionalText, text } from "./parameters.js";

const type = text("type of storage pool sources to find", { completes: POOL_TYPE_NAMES });

export const findStoragePoolSources = command({
  name: "find-storage-pool-sources",
  summary: "discover potential storage pool sources",
  parameters: { type, srcSpec: optionalText("file of source xml to query for pools", { completes: "files" }) },
  async run(context, { type, srcSpec }) {
    const source = srcSpec === null ? null : await readDocument(srcSpec, context.surroundings.stdin);
    await printSources(context, type, source);
  },
});

export const findStoragePoolSourcesAs = command({
  name: "find-storage-pool-sources-as",
  summary: "find potential storage pool sources",
  parameters: {
    type,
    host: optionalText("optional host to query"),
    port: optionalText("optional port to query"),
    initiator: optionalText("optional initiator IQN to use for query"),
  },
  async run(context, { type, host, port, initiator }) {
    await printSources(context, type, host === null ? null : await sourceXml(host, port, initiator));
  },
});

async function printSources(context: Context, type: string, source: string | null): Promise<void> {
  await context.withConnection(async (connection) => {
    const xml = await attempt(`Failed to find any ${type} pool sources`, () =>
      connection.findPoolSources(type, source, context.call),
    );
    context.printDocument(xml);
  });
}

async function sourceXml(host: string, port: string | null, initiator: string | null): Promise<string> {
  const { XmlWriter } = await import("@cistern/documents");
  const writer = new XmlWriter().open("source").leaf("host", { name: host, port });
  if (initiator !== null) writer.open("initiator").leaf("iqn", { name: initiator }).close();
  return writer.close().toString();
}
