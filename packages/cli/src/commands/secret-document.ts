import type { Connection, Secret } from "@cistern/client";
import type { Context } from "../context.js";
import { readDocument } from "../documents.js";
import { attempt } from "../failure.js";
import { command } from "./command.js";
import { flag, text } from "./parameters.js";
import { printSelected, xpathParameters } from "./xpath.js";

export const secretParameter = text("secret UUID", { completes: "secrets" });

export const secretDefine = command({
  name: "secret-define",
  summary: "define or modify a secret from an XML file",
  parameters: {
    file: text('file containing secret attributes in XML ("-": standard input)', { completes: "files" }),
    validate: flag("validate the XML against the schema"),
  },
  async run(context, { file, validate }) {
    const xml = await readDocument(file, context.surroundings.stdin);
    await context.withConnection(async (connection) => {
      const { uuid } = await attempt(`Failed to set attributes from ${file}`, () =>
        connection.defineSecret(xml, { validate }, context.call),
      );
      context.printDone(`Secret ${uuid} created`, { uuid });
    });
  },
});

export const secretDumpxml = command({
  name: "secret-dumpxml",
  summary: "secret attributes in XML",
  parameters: { secret: secretParameter, ...xpathParameters },
  async run(context, { secret: uuid, ...selection }) {
    await context.withConnection(async (connection) => {
      const secret = await findSecret(connection, uuid, context);
      await printSelected(context, await secret.xml(context.call), selection);
    });
  },
});

export const secretUndefine = command({
  name: "secret-undefine",
  summary: "undefine a secret",
  parameters: { secret: secretParameter },
  async run(context, { secret: uuid }) {
    await context.withConnection(async (connection) => {
      const secret = await findSecret(connection, uuid, context);
      await attempt(`Failed to delete secret ${uuid}`, () => secret.undefine(context.call));
      context.printDone(`Secret ${secret.uuid} deleted`, { uuid: secret.uuid });
    });
  },
});

export function findSecret(connection: Connection, uuid: string, { call }: Context): Promise<Secret> {
  return attempt(`failed to get secret '${uuid}'`, () => connection.lookupSecretByUuid(uuid.toLowerCase(), call));
}
